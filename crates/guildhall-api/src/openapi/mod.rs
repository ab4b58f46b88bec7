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

fn paths() -> Value {
    let json = "application/json";
    let answer = |schema: Value| json!({ "description": "Done.", "content": { json: { "schema": schema } } });
    let refusal = json!({
        "description": "A refusal.",
        "content": { "application/problem+json": { "schema": of("Problem") } },
    });
    let bytes = json!({ "application/octet-stream": { "schema": { "type": "string", "format": "binary" } } });
    let binary = |says: &str| json!({ "description": says, "content": bytes });
    let events = |name: &str| {
        json!({
            "description": "Server-sent events; each `data` is one event as JSON.",
            "content": { "text/event-stream": { "schema": of(name) } },
        })
    };
    let read = |id: &str, summary: &str, schema: Value| json!({ "operationId": id, "summary": summary, "responses": { "200": answer(schema), "default": refusal } });
    let round = json!([{ "name": "id", "in": "path", "required": true, "schema": of("Bytes32"), "description": "The round's id." }]);
    let blob = json!([{ "name": "id", "in": "path", "required": true, "schema": of("ContentId"), "description": "Of the bytes." }]);
    let deal = |required: bool| json!([{ "name": "deal", "in": "query", "required": required, "schema": of("Bytes32"), "description": "The deal." }]);
    let credential = json!([{ "credential": [] }]);
    let say = |schema: &str, id: &str, summary: &str, says: &str| {
        json!({ "parameters": round, "post": {
            "operationId": id, "summary": summary, "description": says,
            "requestBody": { "required": true, "content": { json: { "schema": of(schema) } } },
            "responses": { "200": answer(of("Reply")), "default": refusal },
        } })
    };
    let store = |id: &str, summary: &str, responses: Value| {
        json!({
            "operationId": id, "summary": summary, "security": credential,
            "requestBody": { "required": true, "content": bytes }, "responses": responses,
        })
    };
    let kept = "On disk when this answers. A second, different one is kept as a proof and refused.";
    let rounds = json!({ "type": "array", "maxItems": 100, "items": of("RoundState") });
    let watched = |parameters: Option<Value>, id: &str, summary: &str, says: &str| {
        let mut watched = json!({
            "operationId": id, "summary": summary, "responses": { "200": events(says), "default": refusal },
        });
        match parameters {
            Some(parameters) => watched["parameters"] = parameters,
            None => watched["security"] = credential.clone(),
        }
        json!({ "get": watched })
    };
    let mut of_deal = read("rounds", "The latest rounds of a deal", rounds);
    of_deal["parameters"] = deal(true);
    json!({
        "/v1/about": { "get": read("about", "What this coordinator is", of("About")) },
        "/v1/openapi.json": { "get": read("openapi", "This document", json!({ "type": "object" })) },
        "/v1/rounds": { "get": of_deal },
        "/v1/rounds/{id}": { "parameters": round, "get": read("round", "A round's state", of("RoundState")) },
        "/v1/rounds/{id}/reservations":
            say("Reservation", "reserve", "Take a seat", "Held in memory until its expiry."),
        "/v1/rounds/{id}/commitments": say("Commitment", "commit", "Commit", kept),
        "/v1/rounds/{id}/unavailable":
            say("Unavailable", "unavailable", "Say that the bytes are withheld", "On disk when this answers."),
        "/v1/rounds/{id}/contributions": say("Contribution", "contribute", "Show the claim", kept),
        "/v1/rounds/{id}/result": {
            "parameters": round,
            "get": {
                "operationId": "result", "summary": "The result bundle of a certified round",
                "responses": { "200": binary("Check it against the certificate."), "default": refusal },
            },
            "put": store("storeResult", "Store the result bundle", json!({
                "200": answer(of("StoredResult")), "default": refusal,
            })),
        },
        "/v1/stream": watched(None, "stream", "Events for a member of the pool", "MemberEvent"),
        "/v1/progress":
            watched(Some(deal(false)), "progress", "Events for watchers, of one deal or of all", "ProgressEvent"),
        "/v1/blobs/{id}": {
            "parameters": blob,
            "get": {
                "operationId": "blob", "summary": "Bytes by content id, whole or a range",
                "responses": { "200": binary("All."), "206": binary("The range."), "default": refusal },
            },
            "put": store("storeBlob", "Store bytes", json!({
                "200": { "description": "Known before." }, "201": { "description": "Stored." }, "default": refusal,
            })),
        },
    })
}
