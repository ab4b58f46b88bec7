//! Content-addressed bytes: put and get by BLAKE3 id, with limits and resume.
//!
//! [`FsStore`] keeps blobs on this machine; [`HttpSource`] and [`ObjectSource`] fetch them from elsewhere; [`Layered`] is
//! a local store that fetches what it lacks; [`routes`] serves a store over HTTP. Whatever comes from outside is hostile:
//! nothing becomes a blob before its bytes hash to its id, and every size and wait is bounded.
//!
//! Knows nothing of what the bytes mean, nor of the chain.
//!
//! ```
//! # async fn example() -> Result<(), guildhall_blobs::BlobError> {
//! use guildhall_blobs::{BlobStore, FsStore};
//! let store = FsStore::open("/var/lib/guildhall/blobs", 10 << 30).await?;
//! let id = store.put("hello".into()).await?;
//! assert_eq!(store.get(id, 1024).await?, "hello");
//! # Ok(())
//! # }
//! ```

mod error;
mod fs;
mod http_source;
mod index;
mod layered;
mod object_source;
mod partial;
mod routes;
mod source;
mod store;

pub use error::{BlobError, SourceFailure};
pub use fs::FsStore;
pub use guildhall_protocol::ContentId;
pub use http_source::{HttpSource, HttpTimeouts};
pub use layered::{FetchPolicy, Layered};
pub use object_source::ObjectSource;
pub use routes::{MAX_PUT_BYTES_DEFAULT, OpenToAll, PutGuard, PutRequest, RouteOptions, SharedToken, routes};
pub use source::{BlobSource, Offer};
pub use store::{BlobStore, BlobStream, ByteStream, LocalBlob};
