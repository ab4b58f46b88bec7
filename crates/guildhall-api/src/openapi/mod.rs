//! The coordinator's interface as an OpenAPI 3.1 document, for people and for other languages.
//!
//! Written beside the wire types and held to them by a test: every field of every message and answer has to be in it, and
//! nothing else. Knows nothing of how the interface is served.

mod schemas;

use serde_json::{Value, json};

/// A reference to a schema of the document.
fn of(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// The document.
pub fn coordinator() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Guildhall coordinator",
            "version": "1",
            "summary": "What workers, requesters and watchers say to a pool's coordinator.",
            "description": "Messages of a round are EIP-712 typed data, so they need no login: what convinces the coordinator \
                convinces the contract. Numbers of 64 bits and more are decimal strings. `docs/network.md` has the rules.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{
            "url": "http://127.0.0.1:8650",
            "description": "A city of `guildhall up`; a pool's own address stands on chain.",
        }],
        "paths": paths(),
        "components": {
            "securitySchemes": { "credential": {
                "type": "apiKey", "in": "header", "name": "Authorization",
                "description": "`Guildhall <address>.<expiry>.<nonce>.<signature>`, see `docs/network.md` section 3.",
            } },
            "schemas": schemas::all(),
        },
    })
}

/// What operations are made of.
struct Parts {
    refusal: Value,
    bytes: Value,
    credential: Value,
}

impl Parts {
    fn new() -> Self {
        Self {
            refusal: json!({
                "description": "A refusal.",
                "content": { "application/problem+json": { "schema": of("Problem") } },
            }),
            bytes: json!({ "application/octet-stream": { "schema": { "type": "string", "format": "binary" } } }),
            credential: json!([{ "credential": [] }]),
        }
    }

    fn answer(&self, schema: Value) -> Value {
        json!({ "description": "Done.", "content": { "application/json": { "schema": schema } } })
    }

    fn binary(&self, says: &str) -> Value {
        json!({ "description": says, "content": self.bytes })
    }

    /// Reading as JSON.
    fn read(&self, id: &str, summary: &str, schema: Value) -> Value {
        json!({
            "operationId": id, "summary": summary,
            "responses": { "200": self.answer(schema), "default": self.refusal },
        })
    }

    /// Reading as a stream of events.
    fn watch(&self, id: &str, summary: &str, event: &str) -> Value {
        let events = json!({
            "description": "Server-sent events; each `data` is one event as JSON.",
            "content": { "text/event-stream": { "schema": of(event) } },
        });
        json!({
            "operationId": id, "summary": summary, "responses": { "200": events, "default": self.refusal },
        })
    }

    /// A signed message of a round.
    fn say(&self, schema: &str, id: &str, summary: &str, says: &str) -> Value {
        json!({ "parameters": [round_id()], "post": {
            "operationId": id, "summary": summary, "description": says,
            "requestBody": { "required": true, "content": { "application/json": { "schema": of(schema) } } },
            "responses": { "200": self.answer(of("Reply")), "default": self.refusal },
        } })
    }

    /// Storing bytes.
    fn store(&self, id: &str, summary: &str, answers: Value) -> Value {
        let mut responses = answers;
        responses["default"] = self.refusal.clone();
        json!({
            "operationId": id, "summary": summary, "security": self.credential,
            "requestBody": { "required": true, "content": self.bytes }, "responses": responses,
        })
    }
}

fn round_id() -> Value {
    json!({ "name": "id", "in": "path", "required": true, "schema": of("Bytes32"), "description": "The round's id." })
}

fn deal(required: bool) -> Value {
    json!([{ "name": "deal", "in": "query", "required": required, "schema": of("Bytes32"), "description": "The deal." }])
}

fn paths() -> Value {
    let parts = Parts::new();
    let kept = "On disk when this answers. A second, different one is kept as a proof and refused.";
    let latest = json!({ "type": "array", "maxItems": 100, "items": of("RoundState") });
    let mut rounds = parts.read("rounds", "The latest rounds of a deal", latest);
    rounds["parameters"] = deal(true);
    let mut stream = parts.watch("stream", "Events for a member of the pool", "MemberEvent");
    stream["security"] = parts.credential.clone();
    let mut progress = parts.watch("progress", "Events for watchers, of one deal or of all", "ProgressEvent");
    progress["parameters"] = deal(false);
    json!({
        "/v1/about": { "get": parts.read("about", "What this coordinator is", of("About")) },
        "/v1/openapi.json": { "get": parts.read("openapi", "This document", json!({ "type": "object" })) },
        "/v1/rounds": { "get": rounds },
        "/v1/rounds/{id}": {
            "parameters": [round_id()],
            "get": parts.read("round", "A round's state", of("RoundState")),
        },
        "/v1/rounds/{id}/reservations":
            parts.say("Reservation", "reserve", "Take a seat", "Held in memory until its expiry."),
        "/v1/rounds/{id}/commitments": parts.say("Commitment", "commit", "Commit", kept),
        "/v1/rounds/{id}/unavailable":
            parts.say("Unavailable", "unavailable", "Say that the bytes are withheld", "On disk when this answers."),
        "/v1/rounds/{id}/contributions": parts.say("Contribution", "contribute", "Show the claim", kept),
        "/v1/results/{deal}/{batch}/{attempt}": {
            "parameters": draw(),
            "get": {
                "operationId": "result", "summary": "The result bundle of a certified batch",
                "responses": {
                    "200": parts.binary("Check it against the certificate."), "default": parts.refusal,
                },
            },
            "head": {
                "operationId": "storedResult", "summary": "Which bundle it is, without its bytes",
                "responses": {
                    "200": { "description": "It is there.", "headers": { "ETag": {
                        "schema": { "type": "string" }, "description": "The bundle's content id, in quotes.",
                    } } },
                    "404": { "description": "There is none." },
                },
            },
            "put": parts.store("storeResult", "Store the result bundle", json!({
                "200": parts.answer(of("StoredResult")),
            })),
        },
        "/v1/stream": { "get": stream },
        "/v1/progress": { "get": progress },
        "/v1/blobs/{id}": blobs(&parts),
    })
}

fn draw() -> Value {
    let number = |name: &str, says: &str| {
        json!({
            "name": name, "in": "path", "required": true, "schema": { "type": "integer", "minimum": 0 },
            "description": says,
        })
    };
    json!([
        { "name": "deal", "in": "path", "required": true, "schema": of("DealId"), "description": "Its id." },
        number("batch", "In the deal, from zero."),
        number("attempt", "The draw of the lot, from zero."),
    ])
}

fn blobs(parts: &Parts) -> Value {
    json!({
        "parameters": [{
            "name": "id", "in": "path", "required": true, "schema": of("ContentId"), "description": "Of the bytes.",
        }],
        "get": {
            "operationId": "blob", "summary": "Bytes by content id, whole or a range",
            "responses": { "200": parts.binary("All."), "206": parts.binary("The range."), "default": parts.refusal },
        },
        "put": parts.store("storeBlob", "Store bytes", json!({
            "200": { "description": "Known before." }, "201": { "description": "Stored." },
        })),
    })
}
