//! Numbers and layouts of WASI preview 1, as far as this host uses them.

/// Error numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Errno {
    BadFd = 8,
    Exists = 20,
    Fault = 21,
    IllegalBytes = 25,
    Invalid = 28,
    IsDirectory = 31,
    TooManyFds = 33,
    NameTooLong = 37,
    NoEntry = 44,
    NoSpace = 51,
    NoSystemCall = 52,
    NotDirectory = 54,
    NotEmpty = 55,
    NotSupported = 58,
    ReadOnly = 69,
    NotSeekable = 70,
    NotCapable = 76,
}

/// What a descriptor or a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum FileType {
    /// Standard streams: no terminal, no file.
    Unknown = 0,
    Directory = 3,
    Regular = 4,
}

pub(super) const OFLAG_CREATE: u32 = 1;
pub(super) const OFLAG_DIRECTORY: u32 = 2;
pub(super) const OFLAG_EXCLUSIVE: u32 = 4;
pub(super) const OFLAG_TRUNCATE: u32 = 8;

pub(super) const FDFLAG_APPEND: u32 = 1;

pub(super) const RIGHT_READ: u64 = 1 << 1;
pub(super) const RIGHT_WRITE: u64 = 1 << 6;
/// Every right of preview 1.
pub(super) const RIGHTS_ALL: u64 = (1 << 30) - 1;
/// Seek and tell: what tells a file from a stream.
pub(super) const RIGHTS_SEEK: u64 = 1 << 2 | 1 << 5;

pub(super) const CLOCKS: u32 = 4;

pub(super) const IOVEC_BYTES: u32 = 8;
pub(super) const DIRENT_BYTES: u32 = 24;
pub(super) const SUBSCRIPTION_BYTES: u32 = 48;
pub(super) const EVENT_BYTES: u32 = 32;

/// `fdstat`: type, flags, rights.
pub(super) fn fdstat(kind: FileType, flags: u32, base: u64, inheriting: u64) -> [u8; 24] {
    let mut stat = [0; 24];
    stat[0] = kind as u8;
    stat[2..4].copy_from_slice(&(flags as u16).to_le_bytes());
    stat[8..16].copy_from_slice(&base.to_le_bytes());
    stat[16..24].copy_from_slice(&inheriting.to_le_bytes());
    stat
}

/// `filestat`: device 0, one link, all times zero.
pub(super) fn filestat(kind: FileType, inode: u64, size: u64) -> [u8; 64] {
    let mut stat = [0; 64];
    stat[8..16].copy_from_slice(&inode.to_le_bytes());
    stat[16] = kind as u8;
    stat[24..32].copy_from_slice(&1u64.to_le_bytes());
    stat[32..40].copy_from_slice(&size.to_le_bytes());
    stat
}

/// `dirent` without its name.
pub(super) fn dirent(next: u64, inode: u64, name_len: u32, kind: FileType) -> [u8; DIRENT_BYTES as usize] {
    let mut entry = [0; DIRENT_BYTES as usize];
    entry[0..8].copy_from_slice(&next.to_le_bytes());
    entry[8..16].copy_from_slice(&inode.to_le_bytes());
    entry[16..20].copy_from_slice(&name_len.to_le_bytes());
    entry[20] = kind as u8;
    entry
}
