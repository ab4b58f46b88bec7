//! Whether JSON is what a schema of an OpenAPI document says.

use serde_json::Value;

/// What is wrong with `value`, by `schema`, whose references point into `document`: nothing where all is well.
///
/// # Panics
/// Where the schema is none.
pub fn faults(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut schema = schema.clone();
    schema["components"] = document["components"].clone();
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
}
