//! Reading server-sent events: the few lines of the standard that our streams use.
//!
//! Knows nothing of the events' meaning. Fields other than `event` and `data` are skipped, as the standard asks.

/// The longest event that a reader holds, in bytes: a list of 64 members is below 32 KiB.
pub const MAX_EVENT_BYTES: usize = 1 << 20;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SseEvent {
    /// Its kind; `message` where none was named.
    pub event: String,
    /// Its data, lines joined by `\n`.
    pub data: String,
}

/// The stream broke a bound or is not text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SseError {
    /// An event is longer than [`MAX_EVENT_BYTES`].
    #[error(
        "an event of the stream is longer than {MAX_EVENT_BYTES} bytes: this is not a coordinator's stream"
    )]
    TooLong,
    /// A line is not UTF-8.
    #[error("the stream is not UTF-8: this is not a coordinator's stream")]
    NotText,
}

/// Cuts a stream of bytes into events.
#[derive(Debug, Default)]
pub struct SseReader {
    line: Vec<u8>,
    event: String,
    data: String,
    has_data: bool,
}

impl SseReader {
    /// Takes the next bytes and returns the events that they complete.
    ///
    /// # Errors
    /// [`SseError`]; the stream is then of no more use.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Vec<SseEvent>, SseError> {
        let mut events = Vec::new();
        for chunk in bytes.split_inclusive(|&byte| byte == b'\n') {
            if self.line.len() + self.data.len() + chunk.len() > MAX_EVENT_BYTES {
                return Err(SseError::TooLong);
            }
            self.line.extend_from_slice(chunk);
            if chunk.ends_with(b"\n") {
                events.extend(self.end_line()?);
            }
        }
        Ok(events)
    }

    fn end_line(&mut self) -> Result<Option<SseEvent>, SseError> {
        let line = std::mem::take(&mut self.line);
        let line = std::str::from_utf8(&line).map_err(|_| SseError::NotText)?.trim_end_matches(['\n', '\r']);
        if line.is_empty() {
            return Ok(self.end_event());
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.event = value.to_owned(),
            "data" => {
                if self.has_data {
                    self.data.push('\n');
                }
                self.data.push_str(value);
                self.has_data = true;
            }
            _ => {}
        }
        Ok(None)
    }

    fn end_event(&mut self) -> Option<SseEvent> {
        let event = std::mem::take(&mut self.event);
        let data = std::mem::take(&mut self.data);
        if !std::mem::take(&mut self.has_data) {
            return None;
        }
        Some(SseEvent { event: if event.is_empty() { "message".to_owned() } else { event }, data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str =
        ":keep-alive\n\nevent: list\ndata: {\"a\":1}\n\ndata: one\r\ndata: two\r\n\r\nid: 7\ndata:three\n\n";

    fn expected() -> Vec<SseEvent> {
        [("list", "{\"a\":1}"), ("message", "one\ntwo"), ("message", "three")]
            .map(|(event, data)| SseEvent { event: event.into(), data: data.into() })
            .to_vec()
    }

    #[test]
    fn any_cut_of_the_bytes_gives_the_same_events() {
        for size in 1..STREAM.len() {
            let mut reader = SseReader::default();
            let events: Vec<_> = STREAM
                .as_bytes()
                .chunks(size)
                .flat_map(|chunk| reader.feed(chunk).expect("good stream"))
                .collect();
            assert_eq!(events, expected(), "chunks of {size}");
        }
    }

    #[test]
    fn an_endless_line_is_refused() {
        let mut reader = SseReader::default();
        let chunk = vec![b'x'; 64 * 1024];
        let refused =
            (0..=MAX_EVENT_BYTES / chunk.len()).any(|_| reader.feed(&chunk) == Err(SseError::TooLong));
        assert!(refused);
        let mut reader = SseReader::default();
        let lines = b"data: 0123456789\n".repeat(4096);
        let refused =
            (0..=MAX_EVENT_BYTES / (10 * 4096)).any(|_| reader.feed(&lines) == Err(SseError::TooLong));
        assert!(refused, "an event of endlessly many lines too");
    }
}
