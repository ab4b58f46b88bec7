//! The interface as an OpenAPI 3.1 document, made from one table, which tests hold to the routes and the routes to it.
//!
//! Objects name the fields that a client may count on and are open for more: a later version may say more of a thing.

use serde_json::{Map, Value, json};

/// What an operation answers.
#[derive(Clone, Copy)]
enum Gives {
    /// An object of this schema.
    One(&'static str),
    /// A page of them.
    Page(&'static str),
    /// Bytes.
    Bytes,
    /// Server-sent events.
    Events,
}

/// An operation of the interface.
struct Operation {
    method: &'static str,
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    /// Parameters of the query.
    query: &'static [&'static str],
    /// Schema of the body that is sent.
    body: Option<&'static str>,
    gives: Gives,
}

const fn get(
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    query: &'static [&'static str],
    gives: Gives,
) -> Operation {
    Operation { method: "get", path, id, summary, query, body: None, gives }
}

const fn post(
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    body: &'static str,
    gives: &'static str,
) -> Operation {
    Operation { method: "post", path, id, summary, query: &[], body: Some(body), gives: Gives::One(gives) }
}

const PAGED: &[&str] = &["limit", "cursor"];

const OPERATIONS: &[Operation] = &[
    get("/openapi.json", "openapi", "This document", &[], Gives::One("Anything")),
    get(
        "/about",
        "about",
        "Chain, contracts, parameters, and how far the index is",
        &[],
        Gives::One("About"),
    ),
    get("/now", "now", "The city at a glance", &[], Gives::One("Now")),
    get(
        "/deals",
        "deals",
        "Deals, the latest first",
        &["limit", "cursor", "requester", "app", "dataset", "pool", "status"],
        Gives::Page("Deal"),
    ),
    get("/deals/{deal}", "deal", "A deal", &[], Gives::One("Deal")),
    get("/deals/{deal}/batches", "batches", "Its batches, by number", PAGED, Gives::Page("Batch")),
    get(
        "/deals/{deal}/batches/{batch}",
        "batch",
        "A batch with certificate and cases",
        &[],
        Gives::One("Batch"),
    ),
    get(
        "/deals/{deal}/tasks/{task}",
        "task",
        "A task: where it is certified and delivered",
        &[],
        Gives::One("Task"),
    ),
    get(
        "/deals/{deal}/events",
        "dealEvents",
        "What the contracts said of it, in order",
        PAGED,
        Gives::Page("Event"),
    ),
    get(
        "/deals/{deal}/rounds",
        "rounds",
        "Its rounds, as the coordinator tells them",
        &[],
        Gives::One("Rounds"),
    ),
    get(
        "/deals/{deal}/results/{batch}",
        "result",
        "The result bundle of a certified batch",
        &[],
        Gives::Bytes,
    ),
    get(
        "/certificates",
        "certificates",
        "Certificates, the latest first",
        &["limit", "cursor", "deal", "pool"],
        Gives::Page("Certificate"),
    ),
    get("/rounds/{round}", "round", "A round, as its coordinator tells it", &["pool"], Gives::One("Round")),
    get(
        "/workers",
        "workers",
        "Workers, the latest first",
        &["limit", "cursor", "pool", "operator"],
        Gives::Page("Worker"),
    ),
    get("/workers/{address}", "worker", "A worker", &[], Gives::One("Worker")),
    get(
        "/workers/{address}/history",
        "history",
        "How it came to be so, the latest first",
        PAGED,
        Gives::Page("Point"),
    ),
    get("/operators/{operator}", "operator", "An operator and its workers", PAGED, Gives::One("Operator")),
    get("/pools", "pools", "Pools, the latest first", PAGED, Gives::Page("Pool")),
    get("/pools/{pool}", "pool", "A pool", &[], Gives::One("Pool")),
    get("/apps", "apps", "Apps, the latest first", PAGED, Gives::Page("Asset")),
    get("/apps/{id}", "app", "An app", &[], Gives::One("Asset")),
    get("/datasets", "datasets", "Datasets, the latest first", PAGED, Gives::Page("Asset")),
    get("/datasets/{id}", "dataset", "A dataset", &[], Gives::One("Asset")),
    get("/accounts/{address}", "account", "What an address has and owns", &[], Gives::One("Account")),
    get(
        "/cases",
        "cases",
        "Cases, the latest first",
        &["limit", "cursor", "deal", "state"],
        Gives::Page("Case"),
    ),
    get("/cases/{case}", "case", "A case", &[], Gives::One("Case")),
    get(
        "/orders",
        "orders",
        "The order book, the cheapest first",
        &["limit", "cursor", "kind", "app", "dataset", "pool", "signer"],
        Gives::Page("Order"),
    ),
    get("/orders/{hash}", "order", "An order", &[], Gives::One("Order")),
    post("/orders", "putOrder", "Put a signed order on the book", "SignedOrder", "Taken"),
    post("/match", "match", "The best orders for a request, and the transaction", "MatchAsked", "Match"),
    post("/quote", "quote", "What a policy costs on a pool now", "QuoteAsked", "QuoteAnswer"),
    get("/events", "events", "What changes, by topic", &["topic"], Gives::Events),
    get("/blobs/{id}", "blob", "Bytes by content id, whole or a range", &[], Gives::Bytes),
    Operation {
        method: "put",
        path: "/blobs/{id}",
        id: "putBlob",
        summary: "Store bytes under their content id",
        query: &[],
        body: Some("Bytes"),
        gives: Gives::Bytes,
    },
];

fn of(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// The document.
pub fn document() -> Value {
    let mut paths = Map::new();
    for operation in OPERATIONS {
        let path = format!("/api/v1{}", operation.path);
        let entry = paths.entry(path).or_insert_with(|| json!({}));
        entry[operation.method] = described(operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Guildhall gateway",
            "version": "1",
            "summary": "What any client needs to know and do over HTTP.",
            "description": "Numbers that may pass 2^53 are decimal strings. Errors are problem documents (RFC 9457) with a dotted code. \
                `docs/gateway.md` has the rules.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/", "description": "This gateway." }],
        "paths": paths,
        "components": { "schemas": schemas() },
    })
}

fn described(operation: &Operation) -> Value {
    let in_path = operation.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let in_path =
        in_path.map(|name| (if operation.path == "/blobs/{id}" { "content id" } else { name }, name));
    let mut parameters: Vec<_> = in_path.map(|(what, name)| parameter(what, name, "path")).collect();
    parameters.extend(operation.query.iter().map(|name| parameter(name, name, "query")));
    parameters.extend(headers(operation).map(|name| parameter(name, name, "header")));
    let refusal = json!({
        "description": "A refusal.",
        "content": { "application/problem+json": { "schema": of("Problem") } },
    });
    let mut described = json!({
        "operationId": operation.id, "summary": operation.summary, "parameters": parameters,
        "responses": { "default": refusal },
    });
    described["responses"]["200"] = answer(operation.gives);
    if known_again(operation) {
        described["responses"]["304"] = json!({ "description": "Nothing is new." });
    }
    if operation.id == "blob" {
        let mut part = answer(operation.gives);
        part["description"] = "The range that was asked for.".into();
        described["responses"]["206"] = part;
    }
    if operation.id == "putOrder" || operation.id == "putBlob" {
        described["responses"]["201"] = answer(operation.gives);
    }
    match operation.body {
        Some("Bytes") => {
            described["requestBody"] = json!({ "required": true, "content": binary() });
        }
        Some(schema) => {
            let content = json!({ "application/json": { "schema": of(schema) } });
            described["requestBody"] = json!({ "required": true, "content": content });
        }
        None => {}
    }
    described
}

/// Whether it can be asked whether anything is new.
fn known_again(operation: &Operation) -> bool {
    operation.method == "get" && !matches!(operation.gives, Gives::Events)
}

/// Headers that change what an operation answers.
fn headers(operation: &Operation) -> impl Iterator<Item = &'static str> {
    let range = (operation.id == "blob").then_some("Range");
    let resumed = matches!(operation.gives, Gives::Events).then_some("Last-Event-ID");
    known_again(operation).then_some("If-None-Match").into_iter().chain(range).chain(resumed)
}

fn binary() -> Value {
    json!({ "application/octet-stream": { "schema": { "type": "string", "format": "binary" } } })
}

fn answer(gives: Gives) -> Value {
    let content = match gives {
        Gives::One(name) => json!({ "application/json": { "schema": of(name) } }),
        Gives::Page(name) => {
            let next = json!({ "type": ["string", "null"], "description": "The next page's `cursor`." });
            let fields =
                json!({ "items": { "type": "array", "items": of(name), "maxItems": 200 }, "next": next });
            json!({ "application/json": { "schema": {
                "type": "object", "properties": fields, "required": ["items", "next"],
            } } })
        }
        Gives::Bytes => binary(),
        Gives::Events => json!({ "text/event-stream": { "schema": { "type": "string" } } }),
    };
    json!({ "description": "Done.", "content": content })
}

/// A parameter of the path or of the query, which is a `what`.
fn parameter(what: &str, name: &str, place: &str) -> Value {
    let schema = match what {
        "limit" => json!({ "type": "integer", "minimum": 1, "maximum": 200, "default": 50 }),
        "operator" if place == "path" => {
            json!({ "type": "string", "pattern": "^([0-9]{1,9}|0x[0-9a-fA-F]{40})$" })
        }
        "batch" | "task" | "pool" | "operator" => {
            json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX })
        }
        "deal" | "round" | "case" | "hash" => of("Bytes32"),
        "address" | "requester" | "signer" => of("Address"),
        "app" | "dataset" | "id" => of("Decimal"),
        "content id" => of("ContentId"),
        "status" => json!({ "enum": ["open", "certified", "partly", "refunded"] }),
        "kind" => json!({ "enum": ["app", "dataset", "pool", "request"] }),
        "topic" => json!({ "type": "array", "items": { "type": "string" }, "minItems": 1, "maxItems": 32 }),
        _ => json!({ "type": "string" }),
    };
    json!({ "name": name, "in": place, "required": place == "path" || name == "topic", "schema": schema })
}

/// An object that has these fields at least.
fn open(fields: &[(&str, &str)]) -> Value {
    let properties: Map<_, _> =
        fields.iter().map(|(name, schema)| ((*name).to_owned(), of(schema))).collect();
    let required: Vec<_> = fields.iter().map(|(name, _)| *name).collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

/// An object that is sent: these fields, perhaps those, and no others.
fn closed(fields: &[(&str, &str)], optional: &[(&str, &str)]) -> Value {
    let mut schema = open(fields);
    for (name, of_what) in optional {
        schema["properties"][*name] = of(of_what);
    }
    schema["additionalProperties"] = false.into();
    schema
}

fn schemas() -> Value {
    let mut all = words();
    for part in [objects(), asked()] {
        if let (Some(all), Value::Object(part)) = (all.as_object_mut(), part) {
            all.extend(part);
        }
    }
    all
}

fn words() -> Value {
    json!({
        "Anything": { "type": "object" },
        "Value": {},
        "Text": { "type": "string" },
        "Truth": { "type": "boolean" },
        "Number": { "type": "integer" },
        "Rows": { "type": "array" },
        "Address": { "type": "string", "pattern": "^0x[0-9a-fA-F]{40}$" },
        "Bytes32": { "type": "string", "pattern": "^0x[0-9a-fA-F]{64}$" },
        "Hex": { "type": "string", "pattern": "^0x([0-9a-fA-F]{2})*$" },
        "ContentId": { "type": "string", "pattern": "^b3:[0-9a-f]{64}$" },
        "Decimal": { "type": "string", "pattern": "^[0-9]{1,77}$" },
        "Seen": open(&[("block", "Decimal"), ("transaction", "Bytes32")]),
        "Problem": open(&[("status", "Number"), ("code", "Text"), ("title", "Text"), ("detail", "Text")]),
    })
}

fn objects() -> Value {
    json!({
        "About": open(&[("chain", "Number"), ("contracts", "Anything"), ("token", "Address"), ("version", "Text"), ("head", "Anything"), ("index", "Anything"), ("parameters", "Anything"), ("rpc", "Value")]),
        "Now": open(&[("block", "Decimal"), ("tasks_ordered", "Number"), ("tasks_certified", "Number"), ("stake", "Decimal"), ("pools", "Rows"), ("latest", "Rows")]),
        "Deal": open(&[("id", "Bytes32"), ("at", "Seen"), ("terms", "Terms"), ("opened", "Anything"), ("status", "Text"), ("batches", "Anything"), ("locked", "Decimal"), ("paid", "Decimal"), ("refunded", "Decimal")]),
        "Terms": open(&[("dealId", "Bytes32"), ("requester", "Address"), ("payer", "Address"), ("beneficiary", "Address"), ("app", "Decimal"), ("appOwner", "Address"), ("appPrice", "Decimal"), ("dataset", "Decimal"), ("datasetOwner", "Address"), ("datasetPrice", "Decimal"), ("pool", "Number"), ("feePerMfuel", "Decimal"), ("minimumFee", "Decimal"), ("deliveryTip", "Decimal"), ("callback", "Address"), ("callbackGas", "Number"), ("inputs", "Bytes32"), ("taskCount", "Number"), ("batchSize", "Number"), ("fuelLimit", "Decimal"), ("memoryLimit", "Decimal"), ("deadline", "Decimal"), ("policy", "Value"), ("opened", "Value")]),
        "Round": open(&[("pool", "Number"), ("state", "RoundState")]),
        "Rounds": { "type": "object", "required": ["pool", "items"], "properties": {
            "pool": of("Number"), "items": { "type": "array", "items": of("RoundState") },
        } },
        "RoundState": open(&[("round", "Anything"), ("wave", "Number"), ("want", "Number"), ("target", "Decimal"), ("odds", "Decimal"), ("claims", "Number"), ("members", "Rows"), ("lists", "Rows"), ("equivocators", "Rows"), ("outcome", "Value"), ("result", "Value")]),
        "Batch": open(&[("deal", "Bytes32"), ("batch", "Number"), ("status", "Text"), ("attempt", "Number"), ("tasks", "Number"), ("slashes", "Rows"), ("cases", "Rows")]),
        "Task": open(&[("deal", "Bytes32"), ("task", "Number"), ("index", "Number"), ("batch", "Batch"), ("delivery", "Value"), ("result", "Text")]),
        "Event": open(&[("block", "Decimal"), ("log_index", "Number"), ("transaction", "Bytes32"), ("time", "Value"), ("cost", "Value"), ("contract", "Text"), ("name", "Text"), ("said", "Anything")]),
        "Certificate": open(&[("deal", "Bytes32"), ("batch", "Number"), ("odds", "Decimal"), ("target", "Decimal"), ("certificate", "Anything"), ("trail", "Value"), ("members", "Rows"), ("rivals", "Rows"), ("overturned", "Truth"), ("at", "Seen")]),
        "Worker": open(&[("address", "Address"), ("operator", "Number"), ("pool", "Number"), ("activity", "Text"), ("bond", "Decimal"), ("reputation", "Number"), ("earned", "Decimal"), ("slashed", "Decimal")]),
        "Point": open(&[("at", "Seen"), ("reputation", "Number"), ("bond", "Decimal"), ("earned", "Decimal"), ("slashed", "Decimal")]),
        "Operator": open(&[("id", "Number"), ("owner", "Address"), ("workers", "Anything")]),
        "Pool": open(&[("id", "Number"), ("name", "Text"), ("owner", "Address"), ("coordinator", "Address"), ("endpoint", "Value"), ("share", "Number"), ("workers", "Number"), ("bond", "Decimal"), ("deals", "Number"), ("best", "Value")]),
        "Asset": open(&[("id", "Decimal"), ("kind", "Text"), ("name", "Text"), ("owner", "Address"), ("content", "ContentId"), ("deals", "Number"), ("tasks", "Number"), ("best", "Value")]),
        "Account": open(&[("address", "Address"), ("now", "Anything"), ("locked", "Decimal"), ("assets", "Rows"), ("pools", "Rows")]),
        "Case": open(&[("id", "Bytes32"), ("deal", "Bytes32"), ("case", "Anything"), ("state", "Text"), ("jurors", "Rows"), ("opened", "Seen")]),
        "Order": open(&[("hash", "Bytes32"), ("price", "Decimal"), ("left", "Decimal"), ("signed", "SignedOrder")]),
    })
}

fn asked() -> Value {
    json!({
        "SignedOrder": closed(&[("chain", "Number"), ("market", "Address"), ("kind", "Text"), ("order", "Anything"), ("signer", "Address"), ("signature", "Hex")], &[("payer_signature", "Hex")]),
        "Taken": open(&[("hash", "Bytes32"), ("left", "Decimal")]),
        "MatchAsked": closed(&[("order", "Anything")], &[("signature", "Hex"), ("payer_signature", "Hex")]),
        "Match": open(&[("deal", "Bytes32"), ("lock", "Decimal"), ("app", "Anything"), ("pool", "Anything"), ("transaction", "Value")]),
        "QuoteAsked": closed(
            &[("app", "Decimal"), ("pool", "Number"), ("tasks", "Number"), ("fuel_limit", "Decimal"), ("policy", "Policy")],
            &[("dataset", "Decimal"), ("requester", "Address"), ("batch_size", "Number"), ("fuel_expected", "Decimal")],
        ),
        "Policy": closed(&[("confidence", "Number"), ("faultyShareBps", "Number"), ("replicasMin", "Number"), ("replicasMax", "Number"), ("collateralMin", "Decimal"), ("countReputation", "Truth"), ("evidence", "Number"), ("disputeWindow", "Number"), ("finalOnly", "Truth")], &[]),
        "QuoteAnswer": open(&[("quote", "Quote"), ("prices", "Prices")]),
        "Quote": open(&[("operators_needed", "Number"), ("seats_wanted", "Number"), ("executions_expected_milli", "Number"), ("undecided_ppm", "Number"), ("wrong_ppm", "Number"), ("first_wave_percent", "Number"), ("price_expected", "Decimal"), ("price_locked", "Decimal"), ("seconds_expected", "Decimal"), ("window", "Decimal"), ("pool", "Anything"), ("promises", "Rows"), ("obstacles", "Rows")]),
        "Prices": open(&[("app", "Decimal"), ("dataset", "Decimal"), ("fee_per_mfuel", "Decimal")]),
    })
}

/// Every path of the document with its methods, as a test asks them.
#[cfg(test)]
pub(crate) fn operations() -> impl Iterator<Item = (&'static str, &'static str)> {
    OPERATIONS.iter().map(|operation| (operation.method, operation.path))
}
