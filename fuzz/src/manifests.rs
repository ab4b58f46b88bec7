//! Manifests of a deal's inputs.

use guildhall_protocol::{ContentId, Manifest, TaskInput};

/// Reads the bytes as a manifest.
pub fn check(bytes: &[u8]) {
    if let Ok(manifest) = Manifest::parse(bytes) {
        assert_eq!(manifest.encode(), bytes, "there is one form");
        let last = manifest.task_count() - 1;
        assert!(manifest.task(last).is_some() && manifest.task(last + 1).is_none());
    }
}

/// A small manifest, and one with everything.
pub fn seeds() -> Vec<Vec<u8>> {
    let input = |text: &str| TaskInput { input: ContentId::of(text.as_bytes()), bytes: text.len() as u64 };
    let small = Manifest::new(vec!["app".into()], Vec::new(), [input("a")]);
    let arguments = vec!["app".into(), "-é\n".into()];
    let environment = vec![("HOME".into(), "/".into()), ("A".into(), String::new())];
    let large = Manifest::new(arguments, environment, [input("a"), input("a"), input("bc"), input("")]);
    [small, large].map(|manifest| manifest.expect("within its bounds").encode()).into()
}
