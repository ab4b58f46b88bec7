//! The result bundle: receipts and outputs of one batch, as bytes with one content id.
//!
//! All who executed a batch make the same bytes, so the first to store them serves for all, and a reader checks them
//! against the certificate's root without believing whoever served them. The format is in `docs/network.md`.
//! Knows nothing of where bundles are kept.

use std::ops::Range;

use alloy::primitives::{B256, keccak256};
use guildhall_protocol::{ContentId, Exit, Receipt};
use guildhall_service::Coded;

/// First bytes of every bundle; the last is the version.
pub const MAGIC: [u8; 4] = *b"GHB\x01";

/// The longest output that stands in a bundle itself, however few tasks it has; longer ones are blobs of their own.
pub const INLINE_OUTPUT_BYTES: usize = 64 << 10;

/// Outputs that stand in a bundle itself, all together: each task has an equal part of it.
pub const INLINE_TOTAL_BYTES: usize = 32 << 20;

/// The most tasks of a bundle, so that records and outputs together stay below [`MAX_BUNDLE_BYTES`].
pub const MAX_BUNDLE_TASKS: usize = 1 << 18;

/// The longest bundle.
pub const MAX_BUNDLE_BYTES: usize = HEADER_BYTES + MAX_BUNDLE_TASKS * RECORD_BYTES + INLINE_TOTAL_BYTES;

const HEADER_BYTES: usize = 8;
const RECORD_BYTES: usize = 1 + 8 + 32 + 32 + 8 + 32;

/// Why bytes are not a bundle, or a batch cannot be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// Too short, too long, or not starting like one.
    #[error("these {bytes} bytes are not a result bundle of version 1: check the content id")]
    Malformed {
        /// Their number.
        bytes: usize,
    },
    /// More tasks than fit.
    #[error(
        "a batch of {tasks} tasks does not fit a bundle: at most {MAX_BUNDLE_TASKS}; use smaller batches"
    )]
    TooManyTasks {
        /// Their number.
        tasks: usize,
    },
    /// The outputs and the receipts are not as many, or an output stands where one of its length does not belong.
    #[error("output {position} of {receipts} receipts is missing, or not where one of its length belongs")]
    Misplaced {
        /// Receipts.
        receipts: usize,
        /// The first output that is wrong.
        position: usize,
    },
    /// An output is not the one that its receipt names.
    #[error(
        "the output of task {index} is not what its receipt says: the bundle is false, fetch it elsewhere"
    )]
    WrongOutput {
        /// Position in the batch.
        index: u32,
    },
}

impl Coded for BundleError {
    fn code(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "bundle.malformed",
            Self::TooManyTasks { .. } => "bundle.too_many_tasks",
            Self::Misplaced { .. } => "bundle.misplaced",
            Self::WrongOutput { .. } => "bundle.wrong_output",
        }
    }
}

/// Where the output of one task is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// In the bundle: a range of [`Bundle::inline`].
    Inline(Range<usize>),
    /// A blob of its own.
    Blob {
        /// BLAKE3 of the output.
        content_id: ContentId,
        /// Its length in bytes.
        size: u64,
    },
}

/// An output as whoever executed the task hands it over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Produced {
    /// The bytes: not longer than [`Bundle::inline_limit`].
    Bytes(Vec<u8>),
    /// Stored as a blob: longer than that.
    Blob {
        /// BLAKE3 of the output.
        content_id: ContentId,
        /// Its length in bytes.
        size: u64,
    },
}

/// A batch's receipts and outputs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bundle {
    /// The receipts, in the order of their index.
    pub receipts: Vec<Receipt>,
    /// Where the outputs are, in the same order.
    pub outputs: Vec<Output>,
    /// The outputs that stand in the bundle itself, one after the other.
    pub inline: Vec<u8>,
}

impl Bundle {
    /// The longest output that stands in the bundle of a batch of so many tasks.
    ///
    /// A rule on the number of tasks alone, so that everybody makes the same bytes, and so that whoever executes knows at
    /// each task whether to keep its output in memory.
    pub fn inline_limit(tasks: usize) -> usize {
        INLINE_OUTPUT_BYTES.min(INLINE_TOTAL_BYTES / tasks.max(1))
    }

    /// Puts a batch together, from one output a receipt, in order.
    ///
    /// # Errors
    /// [`BundleError::TooManyTasks`], [`BundleError::Misplaced`].
    pub fn build(receipts: Vec<Receipt>, produced: Vec<Produced>) -> Result<Self, BundleError> {
        let tasks = receipts.len();
        if tasks > MAX_BUNDLE_TASKS {
            return Err(BundleError::TooManyTasks { tasks });
        }
        let misplaced = |position| BundleError::Misplaced { receipts: tasks, position };
        if produced.len() != tasks {
            return Err(misplaced(produced.len().min(tasks)));
        }
        let limit = Self::inline_limit(tasks);
        let mut bundle = Self { receipts, outputs: Vec::with_capacity(tasks), inline: Vec::new() };
        for (position, output) in produced.into_iter().enumerate() {
            match output {
                Produced::Bytes(bytes) if bytes.len() <= limit => {
                    let start = bundle.inline.len();
                    bundle.inline.extend_from_slice(&bytes);
                    bundle.outputs.push(Output::Inline(start..bundle.inline.len()));
                }
                Produced::Blob { content_id, size } if size > limit as u64 => {
                    bundle.outputs.push(Output::Blob { content_id, size });
                }
                Produced::Bytes(_) | Produced::Blob { .. } => return Err(misplaced(position)),
            }
        }
        Ok(bundle)
    }

    /// The outputs that are blobs of their own.
    pub fn blobs(&self) -> impl Iterator<Item = (ContentId, u64)> {
        self.outputs.iter().filter_map(|output| match output {
            Output::Blob { content_id, size } => Some((*content_id, *size)),
            Output::Inline(_) => None,
        })
    }

    /// The bytes of one output, where it stands in the bundle.
    pub fn inline_output(&self, position: usize) -> Option<&[u8]> {
        match self.outputs.get(position)? {
            Output::Inline(range) => self.inline.get(range.clone()),
            Output::Blob { .. } => None,
        }
    }

    /// The bytes of the bundle.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes =
            Vec::with_capacity(HEADER_BYTES + self.receipts.len() * RECORD_BYTES + self.inline.len());
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&(self.receipts.len() as u32).to_be_bytes());
        for (receipt, output) in self.receipts.iter().zip(&self.outputs) {
            bytes.push(receipt.exit.code());
            bytes.extend_from_slice(&receipt.fuel.to_be_bytes());
            bytes.extend_from_slice(receipt.output_digest.as_slice());
            bytes.extend_from_slice(receipt.trace_digest.as_slice());
            let (size, content_id) = match output {
                Output::Inline(range) => (range.len() as u64, ContentId::default()),
                Output::Blob { content_id, size } => (*size, *content_id),
            };
            bytes.extend_from_slice(&size.to_be_bytes());
            bytes.extend_from_slice(content_id.0.as_slice());
        }
        bytes.extend_from_slice(&self.inline);
        bytes
    }

    /// Reads a bundle, and checks every output in it against its receipt. Whether the receipts are the certified ones
    /// is the caller's to check, by their root.
    ///
    /// # Errors
    /// [`BundleError::Malformed`], [`BundleError::WrongOutput`].
    pub fn decode(bytes: &[u8]) -> Result<Self, BundleError> {
        let malformed = || BundleError::Malformed { bytes: bytes.len() };
        let (records, inline) = split(bytes)?;
        let tasks = records.len();
        let mut bundle = Self { inline: inline.to_vec(), ..Self::default() };
        let mut start = 0usize;
        for (index, record) in records.enumerate() {
            let (receipt, size, content_id) = read_record(index as u32, record).ok_or_else(malformed)?;
            bundle.receipts.push(receipt);
            let is_blob = size > Self::inline_limit(tasks) as u64;
            if is_blob != (content_id != ContentId::default()) {
                return Err(BundleError::Misplaced { receipts: tasks, position: index });
            }
            if is_blob {
                bundle.outputs.push(Output::Blob { content_id, size });
                continue;
            }
            let end =
                usize::try_from(size).ok().and_then(|size| start.checked_add(size)).ok_or_else(malformed)?;
            let output = bundle.inline.get(start..end).ok_or_else(malformed)?;
            if keccak256(output) != receipt.output_digest {
                return Err(BundleError::WrongOutput { index: receipt.index });
            }
            bundle.outputs.push(Output::Inline(start..end));
            start = end;
        }
        if start != bundle.inline.len() || start > INLINE_TOTAL_BYTES {
            return Err(malformed());
        }
        Ok(bundle)
    }

    /// The receipts of a bundle whose outputs may be missing or false: who compares receipts, or proves something by them, needs
    /// no more. As with [`Bundle::decode`], whether they are the certified ones is the caller's to check.
    ///
    /// # Errors
    /// [`BundleError::Malformed`], [`BundleError::TooManyTasks`].
    pub fn receipts_of(bytes: &[u8]) -> Result<Vec<Receipt>, BundleError> {
        let malformed = || BundleError::Malformed { bytes: bytes.len() };
        let (records, _) = split(bytes)?;
        let receipts = records.enumerate().map(|(index, record)| Some(read_record(index as u32, record)?.0));
        receipts.collect::<Option<_>>().ok_or_else(malformed)
    }
}

/// The records of a bundle, and what comes behind them.
fn split(bytes: &[u8]) -> Result<(std::slice::ChunksExact<'_, u8>, &[u8]), BundleError> {
    let malformed = || BundleError::Malformed { bytes: bytes.len() };
    let (header, body) = bytes.split_at_checked(HEADER_BYTES).ok_or_else(malformed)?;
    let count = header.strip_prefix(&MAGIC).and_then(|count| count.try_into().ok()).ok_or_else(malformed)?;
    let tasks = u32::from_be_bytes(count) as usize;
    if tasks > MAX_BUNDLE_TASKS {
        return Err(BundleError::TooManyTasks { tasks });
    }
    let (records, inline) = body.split_at_checked(tasks * RECORD_BYTES).ok_or_else(malformed)?;
    Ok((records.chunks_exact(RECORD_BYTES), inline))
}

fn read_record(index: u32, record: &[u8]) -> Option<(Receipt, u64, ContentId)> {
    let receipt = Receipt {
        index,
        exit: Exit::from_code(record[0])?,
        fuel: u64::from_be_bytes(record[1..9].try_into().ok()?),
        output_digest: B256::from_slice(&record[9..41]),
        trace_digest: B256::from_slice(&record[41..73]),
    };
    let size = u64::from_be_bytes(record[73..81].try_into().ok()?);
    Some((receipt, size, ContentId(B256::from_slice(&record[81..113]))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(lengths: &[usize]) -> (Vec<Receipt>, Vec<Vec<u8>>) {
        let outputs: Vec<Vec<u8>> = lengths.iter().enumerate().map(|(i, &len)| vec![i as u8; len]).collect();
        let receipts = outputs
            .iter()
            .enumerate()
            .map(|(i, output)| Receipt {
                index: i as u32,
                exit: Exit::Ok,
                fuel: 10 + i as u64,
                output_digest: keccak256(output),
                trace_digest: B256::repeat_byte(i as u8),
            })
            .collect();
        (receipts, outputs)
    }

    fn build(lengths: &[usize]) -> Bundle {
        let (receipts, outputs) = batch(lengths);
        let limit = Bundle::inline_limit(lengths.len());
        let produced = outputs.into_iter().map(|output| {
            let (content_id, size) = (ContentId::of(&output), output.len() as u64);
            if output.len() > limit { Produced::Blob { content_id, size } } else { Produced::Bytes(output) }
        });
        Bundle::build(receipts, produced.collect()).expect("well placed")
    }

    #[test]
    fn round_trips_with_long_outputs_as_blobs() {
        let bundle = build(&[5, 0, INLINE_OUTPUT_BYTES, INLINE_OUTPUT_BYTES + 1, 7]);
        assert_eq!(bundle.blobs().count(), 1);
        let decoded = Bundle::decode(&bundle.encode()).expect("own bytes");
        assert_eq!(decoded, bundle);
        assert_eq!(decoded.inline_output(4), Some([4u8; 7].as_slice()));
        assert_eq!(decoded.inline_output(3), None);
        assert_eq!(decoded.inline_output(5), None);
    }

    #[test]
    fn many_tasks_share_the_room_and_an_output_has_one_place() {
        let tasks = 1024;
        let limit = Bundle::inline_limit(tasks);
        assert_eq!(limit, INLINE_TOTAL_BYTES / tasks);
        assert_eq!(build(&vec![limit; tasks]).inline.len(), INLINE_TOTAL_BYTES);
        let (receipts, outputs) = batch(&[3, 4]);
        let id = ContentId::of(&outputs[1]);
        let produced = vec![Produced::Bytes(outputs[0].clone()), Produced::Blob { content_id: id, size: 4 }];
        let refused = Err(BundleError::Misplaced { receipts: 2, position: 1 });
        assert_eq!(Bundle::build(receipts.clone(), produced), refused);
        let missing = Bundle::build(receipts, vec![Produced::Bytes(outputs[0].clone())]);
        assert_eq!(missing, Err(BundleError::Misplaced { receipts: 2, position: 1 }));
    }

    #[test]
    fn every_truncation_and_extension_is_refused() {
        let bytes = build(&[5, 9]).encode();
        for length in 0..bytes.len() {
            assert!(Bundle::decode(&bytes[..length]).is_err(), "cut at {length}");
        }
        assert!(Bundle::decode(&[bytes.as_slice(), b"x"].concat()).is_err());
    }

    #[test]
    fn a_false_output_or_endless_count_is_refused() {
        let mut bytes = build(&[5, 9]).encode();
        *bytes.last_mut().expect("not empty") ^= 1;
        assert_eq!(Bundle::decode(&bytes), Err(BundleError::WrongOutput { index: 1 }));
        let (receipts, _) = batch(&[5, 9]);
        assert_eq!(Bundle::receipts_of(&bytes), Ok(receipts), "they are there all the same");
        let cut = &bytes[..HEADER_BYTES + 2 * RECORD_BYTES - 1];
        assert_eq!(Bundle::receipts_of(cut), Err(BundleError::Malformed { bytes: cut.len() }));
        let endless = [MAGIC.as_slice(), &u32::MAX.to_be_bytes()].concat();
        assert!(matches!(Bundle::decode(&endless), Err(BundleError::TooManyTasks { .. })));
    }
}
