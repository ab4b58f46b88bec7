//! Manifests: one content, one encoding, one id; hostile bytes are errors.

use guildhall_protocol::{
    ContentId, Manifest, TaskInput,
    manifest::{INPUT_MAX_BYTES, MANIFEST_MAX_BYTES, ManifestError, TASKS_MAX},
};
use proptest::prelude::*;

fn input(number: u8) -> TaskInput {
    TaskInput { input: ContentId::of(&[number]), bytes: 1 }
}

fn manifests() -> impl Strategy<Value = Manifest> {
    let text = "[^\0]{0,12}";
    let env = prop::collection::btree_map("[^\0=]{1,8}", text, 0..4);
    let tasks = prop::collection::vec(0u8..3, 1..40);
    (prop::collection::vec(text, 0..4), env, tasks).prop_map(|(args, env, tasks)| {
        Manifest::new(args, env.into_iter().collect(), tasks.into_iter().map(input)).unwrap()
    })
}

proptest! {
    #[test]
    fn a_manifest_survives_its_bytes(manifest in manifests()) {
        let bytes = manifest.encode();
        prop_assert_eq!(Manifest::parse(&bytes), Ok(manifest.clone()));
        prop_assert_eq!(manifest.id(), ContentId::of(&bytes));
        prop_assert_eq!(Manifest::parse_named(&bytes, manifest.id(), manifest.task_count()), Ok(manifest.clone()));
        let listed: Vec<_> = manifest.tasks().collect();
        prop_assert_eq!(listed.len(), manifest.task_count() as usize);
        for (task, input) in listed.into_iter().enumerate() {
            prop_assert_eq!(manifest.task(task as u32), Some(input));
        }
        prop_assert_eq!(manifest.task(manifest.task_count()), None);
    }

    #[test]
    fn any_bytes_are_a_manifest_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Manifest::parse(&bytes).is_err());
    }

    /// Whatever is changed, the bytes are refused or mean something else and have another id.
    #[test]
    fn a_changed_manifest_never_means_the_same(manifest in manifests(), at: prop::sample::Index, byte: u8) {
        let mut bytes = manifest.encode();
        let index = at.index(bytes.len());
        prop_assume!(bytes[index] != byte);
        bytes[index] = byte;
        if let Ok(other) = Manifest::parse(&bytes) {
            prop_assert_ne!(&other, &manifest);
            prop_assert_ne!(other.id(), manifest.id());
        }
        let named = Manifest::parse_named(&bytes, manifest.id(), manifest.task_count());
        let refused = matches!(named, Err(ManifestError::Id { .. }));
        prop_assert!(refused);
    }
}

#[test]
fn other_spellings_are_refused() {
    let good =
        String::from_utf8(Manifest::new(vec!["app".into()], vec![], [input(1), input(2)]).unwrap().encode())
            .unwrap();
    assert!(good.starts_with(r#"{"version":1,"args":["app"],"env":[],"tasks":[{"input":"b3:"#), "{good}");
    assert!(Manifest::parse(good.as_bytes()).is_ok());
    let others = [
        format!("{good}\n"),
        good.replace(":1,", ": 1,"),
        good.replace("\"app\"", "\"\\u0061pp\""),
        good.replace("\"bytes\":1", "\"bytes\":1,\"times\":1"),
        good.replace("\"version\":1,", "").replace("]}", "],\"version\":1}"),
    ];
    for other in others {
        let error = Manifest::parse(other.as_bytes()).unwrap_err();
        assert!(
            matches!(error, ManifestError::NotCanonical(_) | ManifestError::Unreadable(_)),
            "{other}: {error}"
        );
    }
    let newer = good.replace("\"version\":1", "\"version\":2");
    assert_eq!(Manifest::parse(newer.as_bytes()), Err(ManifestError::Version(2)));
    let unknown = good.replace("\"version\"", "\"colour\":1,\"version\"");
    assert_eq!(Manifest::parse(unknown.as_bytes()).unwrap_err().code(), "manifest.unreadable");
}

#[test]
fn a_thousand_equal_tasks_are_one_line() {
    let manifest = Manifest::new(vec![], vec![], std::iter::repeat_n(input(1), 1_000)).unwrap();
    assert_eq!(manifest.task_count(), 1_000);
    assert!(manifest.encode().len() < 200);
}

#[test]
fn hostile_manifests_are_bounded() {
    let run = |bytes: u64, times: u64| {
        let id = ContentId::of(b"");
        format!(
            r#"{{"version":1,"args":[],"env":[],"tasks":[{{"input":"{id}","bytes":{bytes},"times":{times}}}]}}"#
        )
    };
    assert!(Manifest::parse(run(0, 2).as_bytes()).is_ok());
    for (bytes, times) in [(0, 0), (0, u64::from(TASKS_MAX) + 1), (INPUT_MAX_BYTES + 1, 2), (0, u64::MAX)] {
        assert!(Manifest::parse(run(bytes, times).as_bytes()).is_err(), "{bytes} {times}");
    }
    assert_eq!(
        Manifest::parse(&vec![b' '; MANIFEST_MAX_BYTES + 1]).unwrap_err().code(),
        "manifest.too_large"
    );
    assert_eq!(Manifest::parse("[".repeat(100_000).as_bytes()).unwrap_err().code(), "manifest.unreadable");
    let endless = std::iter::repeat(input(1));
    assert_eq!(Manifest::new(vec![], vec![], endless).unwrap_err().code(), "manifest.out_of_bounds");
    assert_eq!(Manifest::new(vec![], vec![], []).unwrap_err().code(), "manifest.out_of_bounds");
}

#[test]
fn strings_that_no_program_could_get_are_refused() {
    let with = |args: Vec<String>, env: Vec<(&str, &str)>| {
        let env = env.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Manifest::new(args, env, [input(1)]).map_err(|error| error.code())
    };
    assert!(with(vec!["ok".into()], vec![("A", "1"), ("B", "")]).is_ok());
    assert_eq!(with(vec!["a\0b".into()], vec![]), Err("manifest.text"));
    assert_eq!(with(vec![], vec![("", "1")]), Err("manifest.text"));
    assert_eq!(with(vec![], vec![("A=B", "1")]), Err("manifest.text"));
    assert_eq!(with(vec![], vec![("A", "1"), ("A", "2")]), Err("manifest.text"));
    assert_eq!(with(vec!["x".repeat(4_097)], vec![]), Err("manifest.out_of_bounds"));
    assert_eq!(with(vec![String::new(); 257], vec![]), Err("manifest.out_of_bounds"));
}

#[test]
fn the_order_names_bytes_and_task_count() {
    let manifest = Manifest::new(vec![], vec![], [input(1), input(2)]).unwrap();
    let bytes = manifest.encode();
    assert_eq!(
        Manifest::parse_named(&bytes, manifest.id(), 3),
        Err(ManifestError::TaskCount { got: 2, wanted: 3 })
    );
    assert_eq!(Manifest::parse_named(&bytes, ContentId::of(b""), 2).unwrap_err().code(), "manifest.id");
}
