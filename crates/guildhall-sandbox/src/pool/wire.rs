//! Messages between a sandbox and its child processes, over a socket pair.
//!
//! A message is a prefix of two lengths, a header (postcard) and a payload of raw bytes. Open files travel with the
//! first byte. Lengths are checked on both sides: a child that was taken over by an app must not hurt its parent.

use std::{
    fs::File,
    io::{self, IoSlice, IoSliceMut, Read as _, Write as _},
    mem::MaybeUninit,
    os::{
        fd::{AsFd as _, BorrowedFd},
        unix::net::UnixStream,
    },
    time::{Duration, Instant},
};

use alloy_primitives::B256;
use guildhall_protocol::receipt::Receipt;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    engine::Compiler,
    instrument::Facts,
    limits::{OUTPUT_MAX_BYTES, STDERR_TAIL_BYTES, TASK_FILES_MAX},
    task::{Limits, ModuleId},
};

/// Blobs up to this size travel in the message; larger ones as files.
pub(crate) const INLINE_MAX_BYTES: usize = 64 * 1024;
const HEADER_MAX_BYTES: usize = 1024 * 1024;
/// What the answer to a task may carry.
pub(super) const OUTPUT_PAYLOAD_MAX_BYTES: usize = (OUTPUT_MAX_BYTES + STDERR_TAIL_BYTES) as usize;
/// What the answer to a compilation may carry. The largest module allowed stays well below.
pub(super) const CODE_PAYLOAD_MAX_BYTES: usize = 1024 * 1024 * 1024;
/// The module, input, dataset and further files.
const FILES_MAX: usize = TASK_FILES_MAX as usize + 3;
const PREFIX_BYTES: usize = 12;
/// How long either side stays awake for the next message. To wake an idle core takes as long as a small task does.
const AWAKE: Duration = Duration::from_micros(100);
const FIRST_READ_BYTES: usize = 16 * 1024;

/// The first message to a child.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Setup {
    pub(super) compiler: Compiler,
    pub(super) work: Work,
}

/// What a child is for, and so what it may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Work {
    /// It runs one task after another.
    Tasks,
    /// It compiles one module.
    Compile,
}

/// The answer to [`Setup`].
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Ready {
    /// Whether the kernel took the system call filter.
    pub(super) confined: bool,
}

/// Where the bytes of a blob are.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) enum Place {
    /// The next so many bytes of the payload.
    Inline(u64),
    /// The next file, so many bytes long.
    File(u64),
}

/// A task to run. The module's code, if it is to be loaded first, is the first file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) module: ModuleId,
    pub(super) load: Option<Facts>,
    pub(super) forget: Option<ModuleId>,
    pub(super) index: u32,
    pub(super) args: Vec<String>,
    pub(super) env: Vec<(String, String)>,
    pub(super) input: Place,
    pub(super) dataset: Option<Place>,
    pub(super) files: Vec<(String, Place)>,
    pub(super) deal_time_secs: u64,
    pub(super) seed: [u8; 32],
    pub(super) limits: Limits,
    pub(super) own_trace_key: [u8; 32],
}

/// A metered module to compile: the only file, so many bytes long.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct CompileRequest {
    pub(super) bytes: u64,
}

/// What came of a compilation. The machine code is the payload.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum CompileResponse {
    Done,
    /// The engine's words.
    Refused(String),
    Fault(Fault),
}

/// What came of a task. Output and the end of standard error are the payload.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Response {
    Done { receipt: Receipt, own_trace: B256, output_bytes: u64 },
    Fault(Fault),
}

/// A [`HostFault`](crate::HostFault) on its way.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Fault {
    NativeStack,
    Memory { bytes: u64, reason: String },
    FloatMode { found: u64, expected: u64 },
    Engine(String),
    Io(String),
}

/// A message that has arrived.
pub(super) struct Message {
    header: Vec<u8>,
    pub(super) payload: Vec<u8>,
    pub(super) files: Vec<File>,
}

impl Message {
    pub(super) fn header<T: DeserializeOwned>(&self) -> io::Result<T> {
        postcard::from_bytes(&self.header).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }
}

/// Sends a message, in one system call where it fits.
pub(super) fn send(
    stream: &UnixStream,
    header: &impl Serialize,
    payload: &[&[u8]],
    files: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let header = postcard::to_stdvec(header).map_err(io::Error::other)?;
    let payload_bytes: usize = payload.iter().map(|part| part.len()).sum();
    let mut start = Vec::with_capacity(PREFIX_BYTES + header.len());
    start.extend_from_slice(&(header.len() as u32).to_le_bytes());
    start.extend_from_slice(&(payload_bytes as u64).to_le_bytes());
    start.extend_from_slice(&header);
    let mut parts: Vec<IoSlice<'_>> = vec![IoSlice::new(&start)];
    parts.extend(payload.iter().filter(|part| !part.is_empty()).map(|part| IoSlice::new(part)));

    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FILES_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !files.is_empty() && !control.push(SendAncillaryMessage::ScmRights(files)) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many files for one message"));
    }
    let sent = sendmsg(stream, &parts, &mut control, SendFlags::NOSIGNAL)?;
    let mut rest = &mut parts[..];
    IoSlice::advance_slices(&mut rest, sent);
    let mut writer = stream;
    for part in rest {
        writer.write_all(part)?;
    }
    Ok(())
}

/// Waits a moment for the next message without sleeping, and gives way to whoever wants the core meanwhile.
pub(super) fn stay_awake(stream: &UnixStream) {
    let deadline = Instant::now() + AWAKE;
    while Instant::now() < deadline {
        match poll(&mut [PollFd::new(stream, PollFlags::IN)], Some(&Timespec::default())) {
            Ok(0) => std::thread::yield_now(),
            // Something to read, or an error that reading will name.
            _ => return,
        }
    }
}

/// Receives a message with a payload of at most so many bytes; `None` once the other side is gone.
pub(super) fn receive(stream: &UnixStream, payload_max_bytes: usize) -> io::Result<Option<Message>> {
    let mut buffer = [0; FIRST_READ_BYTES];
    let (mut filled, files) = receive_first(stream, &mut buffer)?;
    if filled == 0 {
        return Ok(None);
    }
    let mut reader = stream;
    while filled < PREFIX_BYTES {
        let read = reader.read(&mut buffer[filled..PREFIX_BYTES])?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        filled += read;
    }
    let header_bytes = u32::from_le_bytes([buffer[0], buffer[1], buffer[2], buffer[3]]) as usize;
    let mut payload_bytes = [0; 8];
    payload_bytes.copy_from_slice(&buffer[4..PREFIX_BYTES]);
    let payload_bytes = u64::from_le_bytes(payload_bytes) as usize;
    if header_bytes > HEADER_MAX_BYTES || payload_bytes > payload_max_bytes {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a message between sandbox processes is too long",
        ));
    }
    let mut body = buffer[PREFIX_BYTES..filled].to_vec();
    let arrived = body.len();
    if arrived > header_bytes + payload_bytes {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "two messages at once"));
    }
    // Memory grows with what arrives, not with what was announced.
    let missing = (header_bytes + payload_bytes - arrived) as u64;
    if missing > 0 && reader.take(missing).read_to_end(&mut body)? as u64 != missing {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let payload = body.split_off(header_bytes);
    Ok(Some(Message { header: body, payload, files }))
}

fn receive_first(stream: &UnixStream, buffer: &mut [u8]) -> io::Result<(usize, Vec<File>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FILES_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = loop {
        match recvmsg(stream.as_fd(), &mut [IoSliceMut::new(buffer)], &mut control, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => {}
            result => break result?,
        }
    };
    let mut files = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(fds) = message {
            files.extend(fds.map(File::from));
        }
    }
    Ok((received.bytes, files))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_arrive_with_header_payload_and_files() {
        let (here, there) = UnixStream::pair().expect("a pair");
        let big = vec![7; 300_000];
        let file = tempfile::tempfile().expect("a file");
        let sender = std::thread::spawn(move || {
            send(&here, &Ready { confined: true }, &[b"ab", &big], &[file.as_fd()]).expect("sent");
        });
        let message = receive(&there, OUTPUT_PAYLOAD_MAX_BYTES).expect("received").expect("a message");
        sender.join().expect("joined");
        assert!(message.header::<Ready>().expect("a header").confined);
        assert_eq!(message.payload.len(), 300_002);
        assert_eq!(message.files.len(), 1);
        assert!(receive(&there, OUTPUT_PAYLOAD_MAX_BYTES).expect("closed").is_none());
    }

    #[test]
    fn a_message_of_impossible_length_is_refused() {
        let (mut here, there) = UnixStream::pair().expect("a pair");
        here.write_all(&[0xff; PREFIX_BYTES]).expect("sent");
        assert_eq!(
            receive(&there, OUTPUT_PAYLOAD_MAX_BYTES).err().map(|error| error.kind()),
            Some(io::ErrorKind::InvalidData)
        );
    }
}
