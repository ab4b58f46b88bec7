//! What every error of the project can say of itself: a dotted code and a remedy.
//!
//! Knows nothing of how an error is shown: HTTP does that in [`crate::problem`], the command line in its own place.

/// An error with a dotted code (`blobs.wrong_bytes`) that is the same in logs, metrics, HTTP and CLI.
pub trait Coded: std::error::Error {
    /// The dotted code: module, then what went wrong, in lower case. Stable: callers may match on it.
    fn code(&self) -> &'static str;

    /// What the reader can do about it, where there is something.
    fn hint(&self) -> Option<String> {
        None
    }
}

/// The error and its causes as one line, outermost first, joined by `: `.
///
/// A cause whose text its parent already ends with is not said twice.
pub fn chain_text(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] Inner);

    #[derive(Debug, thiserror::Error)]
    #[error("inner")]
    struct Inner;

    #[derive(Debug, thiserror::Error)]
    #[error("outer: {0}")]
    struct Repeats(#[source] Inner);

    #[test]
    fn causes_are_joined_and_not_repeated() {
        assert_eq!(chain_text(&Outer(Inner)), "outer: inner");
        assert_eq!(chain_text(&Repeats(Inner)), "outer: inner");
    }
}
