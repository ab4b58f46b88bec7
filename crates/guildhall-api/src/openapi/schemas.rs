//! What the bodies look like. Objects are closed: a field that is not here is a mistake.

use serde_json::{Map, Value, json};

use super::of;

/// An object with exactly these fields.
fn object(says: &str, fields: Value) -> Value {
    let names: Vec<_> = fields.as_object().map(|fields| fields.keys().cloned().collect()).unwrap_or_default();
    json!({
        "type": "object", "description": says, "properties": fields, "required": names, "additionalProperties": false,
    })
}

/// The same with further fields.
fn with(fields: &Value, more: Value) -> Value {
    let mut all = fields.as_object().cloned().unwrap_or_default();
    all.extend(more.as_object().cloned().unwrap_or_default());
    Value::Object(all)
}

fn said(schema: Value, says: &str) -> Value {
    with(&schema, json!({ "description": says }))
}

fn number(says: &str) -> Value {
    json!({ "type": "integer", "minimum": 0, "description": says })
}

fn decimal(says: &str) -> Value {
    json!({ "type": "string", "pattern": "^[0-9]+$", "description": says })
}

fn bytes32(says: &str) -> Value {
    said(of("Bytes32"), says)
}

fn address(says: &str) -> Value {
    said(of("Address"), says)
}

/// A signed message of a round with these fields beside round and wave.
fn signed(says: &str, fields: Value, beside: Value) -> Value {
    let message = with(&json!({ "roundId": bytes32("The round's id."), "wave": of("Wave") }), fields);
    let envelope = json!({
        "round": of("Round"),
        "worker": address("Who signed."),
        "message": object("EIP-712 typed data in the Certifier's domain.", message),
        "signature": of("Signature"),
    });
    object(says, with(&envelope, beside))
}

/// Every schema, by name.
pub(super) fn all() -> Value {
    let mut all = Map::new();
    for part in [words(), messages(), states(), events()] {
        all.extend(part.as_object().cloned().unwrap_or_default());
    }
    Value::Object(all)
}

fn words() -> Value {
    json!({
        "Address": { "type": "string", "pattern": "^0x[0-9a-fA-F]{40}$", "description": "An account of the chain." },
        "Bytes32": { "type": "string", "pattern": "^0x[0-9a-f]{64}$", "description": "32 bytes in hexadecimal." },
        "ContentId": { "type": "string", "pattern": "^b3:[0-9a-f]{64}$", "description": "BLAKE3 of the bytes." },
        "Odds": decimal("Odds to one, in millionths: 99:1 is 99000000."),
        "Fuel": decimal("Fuel, in units of the sandbox."),
        "Time": decimal("Chain time, Unix seconds."),
        "Wave": { "type": "integer", "minimum": 0, "maximum": 2, "description": "Wave of the round." },
        "Round": object("One attempt to certify one batch.", json!({
            "id": bytes32("keccak256(abi(deal, batch, attempt, seed))."),
            "deal": bytes32("The deal."),
            "batch": number("The batch in the deal, from zero."),
            "attempt": number("The draw of the lot, from zero."),
        })),
        "Signature": object("A signature in 64 bytes (EIP-2098).", json!({
            "r": bytes32("First half."),
            "vs": bytes32("Second half, with the recovery bit."),
        })),
        "Claim": object("What is claimed of a batch.", json!({
            "root": bytes32("Root over the batch's receipts."),
            "fuel": of("Fuel"),
        })),
        "Problem": {
            "type": "object", "description": "A refusal, as RFC 9457 has it.", "additionalProperties": false,
            "required": ["status", "code", "title", "detail"],
            "properties": {
                "status": number("HTTP status."),
                "code": { "type": "string", "description": "Dotted code, as in logs and on the command line." },
                "title": { "type": "string", "description": "The kind of problem." },
                "detail": { "type": "string", "description": "What went wrong, with the values." },
                "hint": { "type": "string", "description": "What to do about it." },
            },
        },
    })
}

fn messages() -> Value {
    let list = json!({
        "round": of("Round"),
        "before": bytes32("Hash of the list before; zero for none."),
        "entries": { "type": "array", "maxItems": 63, "items": object("One line.", json!({
            "worker": address("The worker."),
            "commitment": bytes32("Its commitment; zero where it signed that the bytes are withheld."),
            "signature": of("Signature"),
        })) },
        "message": object("EIP-712 typed data in the Certifier's domain.", json!({
            "roundId": bytes32("The round's id."), "wave": of("Wave"), "listHash": bytes32("Hash of the list."),
        })),
        "signature": of("Signature"),
    });
    json!({
        "Reservation": signed("A worker takes its seat.", json!({
            "expiry": decimal("Until when the seat is held without a commitment, Unix seconds."),
        }), json!({})),
        "Commitment": signed("A worker has executed, and cannot change its claim any more.", json!({
            "commitment": bytes32("Over worker, round, root, fuel and own trace root."),
        }), json!({})),
        "Unavailable": signed("A worker cannot have the bytes of the batch.", json!({}), json!({})),
        "Contribution": signed("A worker's claim, with what opens its commitment.", json!({
            "root": bytes32("Root over the batch's receipts."),
            "fuel": of("Fuel"),
            "listHash": bytes32("Hash of the list of the wave, which covers those before."),
        }), json!({ "own_trace_root": bytes32("Root over the worker's own traces.") })),
        "List": object("The closed list of a wave, signed by the coordinator.", list),
        "Reply": object("What became of a message.", json!({ "ack": {
            "enum": ["accepted", "known", "full"],
            "description": "New, and on disk where it has to be; known before; to a reservation: no seat is free, and \
                `vacant` says when one is.",
        } })),
        "StoredResult": object("The result is kept.", json!({ "content_id": of("ContentId") })),
    })
}

fn states() -> Value {
    let or_null =
        |schema: Value, says: &str| json!({ "description": says, "oneOf": [schema, { "type": "null" }] });
    let member = json!({
        "worker": address("The worker."),
        "operator": number("Its operator's number."),
        "wave": of("Wave"),
        "step": { "enum": ["seated", "committed", "unavailable", "contributed"] },
    });
    json!({
        "About": object("What this coordinator is.", json!({
            "chain": number("Chain id."),
            "certifier": address("The Certifier contract."),
            "pool": number("The pool's number."),
            "coordinator": address("The key that signs lists."),
            "time": said(of("Time"), "The coordinator's clock."),
            "connected": number("Workers with an open stream."),
            "version": { "type": "string", "description": "Version of the program." },
        })),
        "Outcome": { "description": "How a round ended.", "oneOf": outcomes(&json!({})) },
        "RoundState": object("A round as the coordinator sees it: no root before it is over.", json!({
            "round": of("Round"),
            "wave": said(of("Wave"), "The wave that takes commitments now."),
            "want": number("Seats that the coordinator wants filled."),
            "target": said(of("Odds"), "The odds to reach."),
            "odds": said(of("Odds"), "Of the leading claim; zero before the first contribution."),
            "claims": number("Distinct claims: more than one means dissent."),
            "members": { "type": "array", "items": object("A worker's part.", member) },
            "lists": { "type": "array", "items": of("Bytes32"), "description": "Hashes of the closed lists, by wave." },
            "equivocators": { "type": "array", "items": of("Address"), "description": "Who contradicted itself." },
            "outcome": or_null(of("Outcome"), "How it ended, when it did."),
            "result": or_null(of("ContentId"), "Of the result bundle, once a member stored it."),
        })),
    })
}

/// Every outcome, with fields that come beside it.
fn outcomes(beside: &Value) -> Vec<Value> {
    let outcome = |name: &str, says: &str, fields: Value| {
        object(says, with(beside, with(&json!({ "outcome": { "const": name } }), fields)))
    };
    let certified = json!({
        "claim": of("Claim"), "odds": of("Odds"), "transaction": bytes32("The transaction."),
    });
    vec![
        outcome("certified", "A certificate stands on the chain.", certified),
        outcome("reopened", "The lot is drawn anew: attempt + 1.", json!({})),
        outcome("unavailable", "Void: its members could not get the bytes.", json!({})),
        outcome("expired", "Its time is over without a certificate.", json!({})),
    ]
}

fn events() -> Value {
    let event = |kind: &str, says: &str, fields: Value| {
        object(says, with(&json!({ "kind": { "const": kind } }), fields))
    };
    let round = json!({ "time": of("Time"), "round": of("Round") });
    let step = |name: &str, says: &str, fields: Value| {
        object(says, with(&with(&round, json!({ "step": { "const": name } })), fields))
    };
    let worker = address("The worker.");
    let mut steps = vec![
        step("seated", "A worker took its seat.", json!({ "worker": worker, "wave": of("Wave") })),
        step(
            "committed",
            "A worker committed.",
            json!({ "worker": worker, "commitments": number("So far.") }),
        ),
        step("unavailable", "A worker cannot have the bytes.", json!({ "worker": worker })),
        step(
            "listed",
            "The list of a wave is closed.",
            json!({
                "wave": of("Wave"), "entries": number("Lines of all waves so far."),
            }),
        ),
        step(
            "contributed",
            "A worker showed its claim.",
            json!({
                "worker": worker, "claims": number("Distinct claims so far."), "odds": of("Odds"),
            }),
        ),
        step(
            "equivocated",
            "A worker contradicted itself; both messages are kept.",
            json!({ "worker": worker }),
        ),
        step("posting", "The certificate was sent to the chain.", json!({})),
        step(
            "missed",
            "This watcher was too slow: read the round's state again.",
            json!({
                "events": number("How many it missed."),
            }),
        ),
    ];
    steps.extend(outcomes(&with(&round, json!({ "step": { "const": "ended" } }))));
    json!({
        "MemberEvent": { "description": "For a member. Safe to receive twice and in any order.", "oneOf": [
            event("ready", "All that was pending for this worker has been sent.", json!({})),
            event("listed", "The list of a wave is closed, and this worker is on it.", json!({ "list": of("List") })),
            event("contributed", "A co-member's contribution.", json!({ "contribution": of("Contribution") })),
            event("vacant", "A seat came free, or a wave began.", json!({ "round": of("Round"), "wave": of("Wave") })),
            event("ended", "The round is over.", json!({ "round": of("Round"), "outcome": of("Outcome") })),
        ] },
        "ProgressEvent": { "description": "A step of a round as watchers see it.", "oneOf": steps },
    })
}
