//! The calls themselves, by their names in preview 1. The base charge has been made when one of these starts.
#![allow(clippy::too_many_arguments, reason = "the signatures are the standard's")]

use super::{
    Guest, Outcome, Stop,
    fs::NodeId,
    slice,
    types::{self, Errno, FileType},
    world::{OpenFile, Target},
};
use crate::limits::{
    FUEL_HOST_ENTRY, FUEL_PATH_BYTE, FUEL_RANDOM_BYTE, IOVECS_MAX, PATH_MAX_BYTES, SUBSCRIPTIONS_MAX,
};

// Strings, time, chance.

pub(super) fn args_get(guest: &mut Guest<'_, '_>, argv: u32, buffer: u32) -> Outcome {
    let strings = guest.world().args.clone();
    strings_get(guest, &strings, argv, buffer)
}

pub(super) fn args_sizes_get(guest: &mut Guest<'_, '_>, count: u32, bytes: u32) -> Outcome {
    let strings = &guest.world().args;
    let (len, total) = (strings.len() as u32, strings.iter().map(Vec::len).sum::<usize>() as u32);
    guest.write_u32(count, len)?;
    Ok(guest.write_u32(bytes, total)?)
}

pub(super) fn environ_get(guest: &mut Guest<'_, '_>, environ: u32, buffer: u32) -> Outcome {
    let strings = guest.world().env.clone();
    strings_get(guest, &strings, environ, buffer)
}

pub(super) fn environ_sizes_get(guest: &mut Guest<'_, '_>, count: u32, bytes: u32) -> Outcome {
    let strings = &guest.world().env;
    let (len, total) = (strings.len() as u32, strings.iter().map(Vec::len).sum::<usize>() as u32);
    guest.write_u32(count, len)?;
    Ok(guest.write_u32(bytes, total)?)
}

fn strings_get(guest: &mut Guest<'_, '_>, strings: &[Vec<u8>], pointers: u32, buffer: u32) -> Outcome {
    let bytes: usize = strings.iter().map(Vec::len).sum();
    guest.charge_bytes((bytes + 4 * strings.len()) as u64)?;
    let mut at = buffer;
    for (index, text) in strings.iter().enumerate() {
        guest.write_u32(offset(pointers, index as u32 * 4)?, at)?;
        guest.write(at, text)?;
        at = offset(at, text.len() as u32)?;
    }
    Ok(())
}

fn offset(pointer: u32, by: u32) -> Result<u32, Errno> {
    pointer.checked_add(by).ok_or(Errno::Fault)
}

pub(super) fn clock_res_get(guest: &mut Guest<'_, '_>, clock: u32, resolution: u32) -> Outcome {
    check_clock(clock)?;
    Ok(guest.write_u64(resolution, 1)?)
}

/// Every clock stands still at the deal's time.
pub(super) fn clock_time_get(guest: &mut Guest<'_, '_>, clock: u32, _precision: u64, time: u32) -> Outcome {
    check_clock(clock)?;
    let now = guest.world().time_nanos;
    Ok(guest.write_u64(time, now)?)
}

fn check_clock(clock: u32) -> Result<(), Errno> {
    if clock < types::CLOCKS { Ok(()) } else { Err(Errno::Invalid) }
}

pub(super) fn random_get(guest: &mut Guest<'_, '_>, buffer: u32, len: u32) -> Outcome {
    guest.charge(u64::from(len) * FUEL_RANDOM_BYTE)?;
    let (memory, world) = guest.split();
    world.random.fill(slice(memory, buffer, len)?);
    Ok(())
}

/// Everything is ready at once: time stands still, and no descriptor ever blocks.
pub(super) fn poll_oneoff(
    guest: &mut Guest<'_, '_>,
    subscriptions: u32,
    events: u32,
    count: u32,
    ready: u32,
) -> Outcome {
    if count == 0 || u64::from(count) > SUBSCRIPTIONS_MAX {
        return Err(Errno::Invalid.into());
    }
    guest.charge(u64::from(count) * FUEL_HOST_ENTRY)?;
    for index in 0..count {
        let source = offset(subscriptions, index * types::SUBSCRIPTION_BYTES)?;
        let mut event = [0; types::EVENT_BYTES as usize];
        event[..8].copy_from_slice(guest.slice(source, 8)?);
        let kind = guest.slice(offset(source, 8)?, 1)?[0];
        event[10] = kind;
        if kind > 0 {
            let fd = guest.read_u32(offset(source, 16)?)?;
            if guest.world().target(fd).is_err() {
                event[8] = Errno::BadFd as u8;
            }
        }
        guest.write(offset(events, index * types::EVENT_BYTES)?, &event)?;
    }
    Ok(guest.write_u32(ready, count)?)
}

pub(super) fn sched_yield(_guest: &mut Guest<'_, '_>) -> Outcome {
    Ok(())
}

pub(super) fn proc_raise(_guest: &mut Guest<'_, '_>, _signal: u32) -> Outcome {
    Err(Errno::NoSystemCall.into())
}

// Descriptors.

pub(super) fn fd_advise(
    guest: &mut Guest<'_, '_>,
    fd: u32,
    _offset: u64,
    _len: u64,
    _advice: u32,
) -> Outcome {
    guest.world().file(fd)?;
    Ok(())
}

pub(super) fn fd_allocate(guest: &mut Guest<'_, '_>, fd: u32, offset: u64, len: u64) -> Outcome {
    let end = offset.checked_add(len).ok_or(Errno::Invalid)?;
    let node = writable_file(guest, fd)?.node;
    if end > guest.world().fs.bytes(node).len() as u64 {
        resize(guest, node, end)?;
    }
    Ok(())
}

pub(super) fn fd_close(guest: &mut Guest<'_, '_>, fd: u32) -> Outcome {
    Ok(guest.world().close(fd)?)
}

pub(super) fn fd_datasync(guest: &mut Guest<'_, '_>, fd: u32) -> Outcome {
    fd_sync(guest, fd)
}

pub(super) fn fd_sync(guest: &mut Guest<'_, '_>, fd: u32) -> Outcome {
    guest.world().target(fd)?;
    Ok(())
}

pub(super) fn fd_fdstat_get(guest: &mut Guest<'_, '_>, fd: u32, stat: u32) -> Outcome {
    let stream = types::RIGHTS_ALL & !types::RIGHTS_SEEK;
    let fdstat = match guest.world().target(fd)? {
        Target::Stdin { .. } => types::fdstat(FileType::Unknown, 0, stream & !types::RIGHT_WRITE, 0),
        Target::Stdout | Target::Stderr => {
            types::fdstat(FileType::Unknown, 0, stream & !types::RIGHT_READ, 0)
        }
        Target::Directory(_) => {
            let base = types::RIGHTS_ALL & !(types::RIGHT_READ | types::RIGHT_WRITE | types::RIGHTS_SEEK);
            types::fdstat(FileType::Directory, 0, base, types::RIGHTS_ALL)
        }
        Target::File(file) => {
            let refused = if file.readable { 0 } else { types::RIGHT_READ }
                | if file.writable { 0 } else { types::RIGHT_WRITE };
            let flags = if file.append { types::FDFLAG_APPEND } else { 0 };
            types::fdstat(FileType::Regular, flags, types::RIGHTS_ALL & !refused, 0)
        }
    };
    Ok(guest.write(stat, &fdstat)?)
}

pub(super) fn fd_fdstat_set_flags(guest: &mut Guest<'_, '_>, fd: u32, flags: u32) -> Outcome {
    if let Target::File(file) = guest.world().target(fd)? {
        file.append = flags & types::FDFLAG_APPEND != 0;
    }
    Ok(())
}

pub(super) fn fd_fdstat_set_rights(
    guest: &mut Guest<'_, '_>,
    fd: u32,
    _base: u64,
    _inheriting: u64,
) -> Outcome {
    guest.world().target(fd)?;
    Err(Errno::NotSupported.into())
}

pub(super) fn fd_filestat_get(guest: &mut Guest<'_, '_>, fd: u32, stat: u32) -> Outcome {
    let world = guest.world();
    let filestat = match world.node(fd)? {
        Some(node) => node_stat(world, node),
        None => types::filestat(FileType::Unknown, 0, 0),
    };
    Ok(guest.write(stat, &filestat)?)
}

fn node_stat(world: &super::World, node: NodeId) -> [u8; 64] {
    types::filestat(world.fs.kind(node), node as u64, world.fs.bytes(node).len() as u64)
}

pub(super) fn fd_filestat_set_size(guest: &mut Guest<'_, '_>, fd: u32, size: u64) -> Outcome {
    let node = writable_file(guest, fd)?.node;
    resize(guest, node, size)
}

fn resize(guest: &mut Guest<'_, '_>, node: NodeId, size: u64) -> Outcome {
    let added = guest.world().fs.growth(node, size)?;
    guest.charge_bytes(added)?;
    Ok(guest.world().fs.resize(node, size)?)
}

/// Times are fixed; setting them succeeds and changes nothing.
pub(super) fn fd_filestat_set_times(
    guest: &mut Guest<'_, '_>,
    fd: u32,
    _atim: u64,
    _mtim: u64,
    _flags: u32,
) -> Outcome {
    guest.world().target(fd)?;
    Ok(())
}

fn writable_file<'g>(guest: &'g mut Guest<'_, '_>, fd: u32) -> Result<&'g mut OpenFile, Errno> {
    let file = guest.world().file(fd)?;
    if file.writable { Ok(file) } else { Err(Errno::BadFd) }
}

pub(super) fn fd_prestat_get(guest: &mut Guest<'_, '_>, fd: u32, prestat: u32) -> Outcome {
    check_root(guest, fd)?;
    // Tag 0 is a directory; its path is one byte long.
    Ok(guest.write(prestat, &[0, 0, 0, 0, 1, 0, 0, 0])?)
}

pub(super) fn fd_prestat_dir_name(guest: &mut Guest<'_, '_>, fd: u32, path: u32, len: u32) -> Outcome {
    check_root(guest, fd)?;
    if len == 0 {
        return Err(Errno::NameTooLong.into());
    }
    Ok(guest.write(path, b"/")?)
}

/// Runtimes of apps count up from 3 until they meet a descriptor that is no preopened directory.
fn check_root(guest: &mut Guest<'_, '_>, fd: u32) -> Result<(), Errno> {
    const PREOPENED_FD: u32 = 3;
    guest.world().directory(fd).map_err(|_| Errno::BadFd)?;
    if fd == PREOPENED_FD { Ok(()) } else { Err(Errno::BadFd) }
}

pub(super) fn fd_renumber(guest: &mut Guest<'_, '_>, from: u32, to: u32) -> Outcome {
    Ok(guest.world().renumber(from, to)?)
}

pub(super) fn fd_seek(
    guest: &mut Guest<'_, '_>,
    fd: u32,
    offset: u64,
    whence: u32,
    position: u32,
) -> Outcome {
    let world = guest.world();
    let (node, current) = {
        let file = world.file(fd)?;
        (file.node, file.position)
    };
    let base = match whence {
        0 => 0,
        1 => current,
        2 => world.fs.bytes(node).len() as u64,
        _ => return Err(Errno::Invalid.into()),
    };
    let target = base.checked_add_signed(offset as i64).ok_or(Errno::Invalid)?;
    world.file(fd)?.position = target;
    Ok(guest.write_u64(position, target)?)
}

pub(super) fn fd_tell(guest: &mut Guest<'_, '_>, fd: u32, position: u32) -> Outcome {
    let current = guest.world().file(fd)?.position;
    Ok(guest.write_u64(position, current)?)
}

pub(super) fn fd_readdir(
    guest: &mut Guest<'_, '_>,
    fd: u32,
    buffer: u32,
    len: u32,
    cookie: u64,
    used: u32,
) -> Outcome {
    let world = guest.world();
    let node = world.directory(fd)?;
    let entries = world.fs.entries(node)?.len() as u64 + 2;
    guest.charge(entries * FUEL_HOST_ENTRY)?;
    guest.charge_bytes(u64::from(len))?;
    let world = guest.world();
    let named = world.fs.entries(node)?.iter().map(|(name, id)| (name.as_str(), *id));
    let all = [(".", node), ("..", world.fs.parent(node))].into_iter().chain(named);
    let mut bytes = Vec::new();
    for (index, (name, id)) in all.enumerate().skip(usize::try_from(cookie).unwrap_or(usize::MAX)) {
        if bytes.len() >= len as usize {
            break;
        }
        bytes.extend(types::dirent(index as u64 + 1, id as u64, name.len() as u32, world.fs.kind(id)));
        bytes.extend_from_slice(name.as_bytes());
    }
    // A full buffer with a cut entry tells the caller that there is more.
    bytes.truncate(len as usize);
    guest.write(buffer, &bytes)?;
    Ok(guest.write_u32(used, bytes.len() as u32)?)
}

// Reading and writing.

/// The parts of the guest's memory that a list of iovecs names, each checked, and their total length.
fn iovecs(guest: &mut Guest<'_, '_>, list: u32, count: u32) -> Result<(Vec<(u32, u32)>, u64), Stop> {
    if u64::from(count) > IOVECS_MAX {
        return Err(Errno::Invalid.into());
    }
    guest.charge(u64::from(count) * FUEL_HOST_ENTRY)?;
    let mut parts = Vec::with_capacity(count as usize);
    let mut total = 0;
    for index in 0..count {
        let at = offset(list, index * types::IOVEC_BYTES)?;
        let (pointer, len) = (guest.read_u32(at)?, guest.read_u32(offset(at, 4)?)?);
        guest.slice(pointer, len)?;
        total += u64::from(len);
        parts.push((pointer, len));
    }
    // Results are 32 bits wide.
    if total > u64::from(u32::MAX) { Err(Errno::Invalid.into()) } else { Ok((parts, total)) }
}

/// What can be read from.
#[derive(Clone, Copy)]
enum Readable {
    Input,
    Node(NodeId),
}

/// Copies as much as is there at `position`; returns how much that was.
fn read_at(
    guest: &mut Guest<'_, '_>,
    source: Readable,
    position: u64,
    list: u32,
    count: u32,
) -> Result<u32, Stop> {
    let (parts, total) = iovecs(guest, list, count)?;
    let world = guest.world();
    let size = match source {
        Readable::Input => world.input.bytes().len(),
        Readable::Node(node) => world.fs.bytes(node).len(),
    } as u64;
    let mut left = total.min(size.saturating_sub(position)) as usize;
    guest.charge_bytes(left as u64)?;
    let (memory, world) = guest.split();
    let bytes = match source {
        Readable::Input => world.input.bytes(),
        Readable::Node(node) => world.fs.bytes(node),
    };
    let mut rest = &bytes[bytes.len().min(usize::try_from(position).unwrap_or(usize::MAX))..];
    let read = left as u32;
    for (pointer, len) in parts {
        let take = left.min(len as usize);
        let (now, later) = rest.split_at(take);
        slice(memory, pointer, take as u32)?.copy_from_slice(now);
        (rest, left) = (later, left - take);
    }
    Ok(read)
}

pub(super) fn fd_read(guest: &mut Guest<'_, '_>, fd: u32, list: u32, count: u32, read: u32) -> Outcome {
    let (source, position) = match guest.world().target(fd)? {
        Target::Stdin { position } => (Readable::Input, *position),
        Target::File(file) if file.readable => (Readable::Node(file.node), file.position),
        Target::Directory(_) => return Err(Errno::IsDirectory.into()),
        _ => return Err(Errno::BadFd.into()),
    };
    let moved = read_at(guest, source, position, list, count)?;
    match guest.world().target(fd)? {
        Target::Stdin { position } | Target::File(OpenFile { position, .. }) => *position += u64::from(moved),
        _ => {}
    }
    Ok(guest.write_u32(read, moved)?)
}

pub(super) fn fd_pread(
    guest: &mut Guest<'_, '_>,
    fd: u32,
    list: u32,
    count: u32,
    position: u64,
    read: u32,
) -> Outcome {
    let file = guest.world().file(fd)?;
    if !file.readable {
        return Err(Errno::BadFd.into());
    }
    let node = file.node;
    let moved = read_at(guest, Readable::Node(node), position, list, count)?;
    Ok(guest.write_u32(read, moved)?)
}

/// Writes everything or nothing into a file.
fn write_at(
    guest: &mut Guest<'_, '_>,
    node: NodeId,
    position: u64,
    list: u32,
    count: u32,
) -> Result<u32, Stop> {
    let (parts, total) = iovecs(guest, list, count)?;
    let end = position.checked_add(total).ok_or(Errno::NoSpace)?;
    let added = if total == 0 { 0 } else { guest.world().fs.growth(node, end)? };
    guest.charge_bytes(total.max(added))?;
    let (memory, world) = guest.split();
    let mut at = position;
    for (pointer, len) in parts.into_iter().filter(|(_, len)| *len > 0) {
        world.fs.write_at(node, at, slice(memory, pointer, len)?)?;
        at += u64::from(len);
    }
    Ok(total as u32)
}

pub(super) fn fd_write(guest: &mut Guest<'_, '_>, fd: u32, list: u32, count: u32, written: u32) -> Outcome {
    let target = guest.world().target(fd)?.clone();
    let moved = match target {
        Target::File(file) if file.writable => {
            let size = guest.world().fs.bytes(file.node).len() as u64;
            let position = if file.append { size } else { file.position };
            let moved = write_at(guest, file.node, position, list, count)?;
            guest.world().file(fd)?.position = position + u64::from(moved);
            moved
        }
        Target::Stdout | Target::Stderr => {
            write_stream(guest, matches!(target, Target::Stdout), list, count)?
        }
        Target::Directory(_) => return Err(Errno::IsDirectory.into()),
        _ => return Err(Errno::BadFd.into()),
    };
    Ok(guest.write_u32(written, moved)?)
}

fn write_stream(guest: &mut Guest<'_, '_>, is_output: bool, list: u32, count: u32) -> Result<u32, Stop> {
    let (parts, total) = iovecs(guest, list, count)?;
    guest.charge_bytes(total)?;
    let (memory, world) = guest.split();
    for (pointer, len) in parts {
        let bytes = slice(memory, pointer, len)?;
        if is_output {
            world.print(bytes)?;
        } else {
            world.complain(bytes);
        }
    }
    Ok(total as u32)
}

pub(super) fn fd_pwrite(
    guest: &mut Guest<'_, '_>,
    fd: u32,
    list: u32,
    count: u32,
    position: u64,
    written: u32,
) -> Outcome {
    let node = writable_file(guest, fd)?.node;
    let moved = write_at(guest, node, position, list, count)?;
    Ok(guest.write_u32(written, moved)?)
}

// Paths.

/// Reads a path, at the price of looking its names up.
fn path(guest: &mut Guest<'_, '_>, pointer: u32, len: u32) -> Result<Vec<u8>, Stop> {
    if u64::from(len) > PATH_MAX_BYTES {
        return Err(Errno::NameTooLong.into());
    }
    guest.charge(u64::from(len) * FUEL_PATH_BYTE)?;
    Ok(guest.slice(pointer, len)?.to_vec())
}

pub(super) fn path_create_directory(guest: &mut Guest<'_, '_>, fd: u32, pointer: u32, len: u32) -> Outcome {
    let path = path(guest, pointer, len)?;
    let world = guest.world();
    let base = world.directory(fd)?;
    let (directory, name) = world.fs.resolve_parent(base, &path)?;
    world.fs.create(directory, name, FileType::Directory)?;
    Ok(())
}

pub(super) fn path_filestat_get(
    guest: &mut Guest<'_, '_>,
    fd: u32,
    _lookup: u32,
    pointer: u32,
    len: u32,
    stat: u32,
) -> Outcome {
    let path = path(guest, pointer, len)?;
    let world = guest.world();
    let base = world.directory(fd)?;
    let node = world.fs.resolve(base, &path)?;
    let filestat = node_stat(world, node);
    Ok(guest.write(stat, &filestat)?)
}

pub(super) fn path_filestat_set_times(
    guest: &mut Guest<'_, '_>,
    fd: u32,
    _lookup: u32,
    pointer: u32,
    len: u32,
    _atim: u64,
    _mtim: u64,
    _flags: u32,
) -> Outcome {
    let path = path(guest, pointer, len)?;
    let world = guest.world();
    let base = world.directory(fd)?;
    world.fs.resolve(base, &path)?;
    Ok(())
}

pub(super) fn path_open(
    guest: &mut Guest<'_, '_>,
    fd: u32,
    _lookup: u32,
    pointer: u32,
    len: u32,
    oflags: u32,
    rights: u64,
    _inheriting: u64,
    flags: u32,
    opened: u32,
) -> Outcome {
    let path = path(guest, pointer, len)?;
    let world = guest.world();
    let base = world.directory(fd)?;
    world.check_free_fd()?;
    let wants = |flag: u32| oflags & flag != 0;
    let node = match world.fs.resolve(base, &path) {
        Ok(_) if wants(types::OFLAG_CREATE) && wants(types::OFLAG_EXCLUSIVE) => {
            return Err(Errno::Exists.into());
        }
        Ok(node) => node,
        Err(Errno::NoEntry) if wants(types::OFLAG_CREATE) && !wants(types::OFLAG_DIRECTORY) => {
            if path.ends_with(b"/") {
                return Err(Errno::IsDirectory.into());
            }
            let (directory, name) = world.fs.resolve_parent(base, &path)?;
            world.fs.create(directory, name, FileType::Regular)?
        }
        Err(errno) => return Err(errno.into()),
    };
    let writes = rights & types::RIGHT_WRITE != 0;
    let target = match world.fs.kind(node) {
        FileType::Directory if wants(types::OFLAG_TRUNCATE) => return Err(Errno::IsDirectory.into()),
        FileType::Directory => Target::Directory(node),
        _ if wants(types::OFLAG_DIRECTORY) => return Err(Errno::NotDirectory.into()),
        _ if (writes || wants(types::OFLAG_TRUNCATE)) && !world.fs.writable(node) => {
            return Err(Errno::ReadOnly.into());
        }
        _ => Target::File(OpenFile {
            node,
            position: 0,
            readable: rights & types::RIGHT_READ != 0,
            writable: writes,
            append: flags & types::FDFLAG_APPEND != 0,
        }),
    };
    if wants(types::OFLAG_TRUNCATE) {
        world.fs.resize(node, 0)?;
    }
    let number = world.open(target)?;
    Ok(guest.write_u32(opened, number)?)
}

pub(super) fn path_remove_directory(guest: &mut Guest<'_, '_>, fd: u32, pointer: u32, len: u32) -> Outcome {
    remove(guest, fd, pointer, len, FileType::Directory)
}

pub(super) fn path_unlink_file(guest: &mut Guest<'_, '_>, fd: u32, pointer: u32, len: u32) -> Outcome {
    remove(guest, fd, pointer, len, FileType::Regular)
}

fn remove(guest: &mut Guest<'_, '_>, fd: u32, pointer: u32, len: u32, kind: FileType) -> Outcome {
    let path = path(guest, pointer, len)?;
    let world = guest.world();
    let base = world.directory(fd)?;
    let (directory, name) = world.fs.resolve_parent(base, &path)?;
    Ok(world.fs.remove(directory, name, kind)?)
}

pub(super) fn path_rename(
    guest: &mut Guest<'_, '_>,
    fd: u32,
    pointer: u32,
    len: u32,
    new_fd: u32,
    new_pointer: u32,
    new_len: u32,
) -> Outcome {
    let (old, new) = (path(guest, pointer, len)?, path(guest, new_pointer, new_len)?);
    let world = guest.world();
    let (old_base, new_base) = (world.directory(fd)?, world.directory(new_fd)?);
    let from = world.fs.resolve_parent(old_base, &old)?;
    let to = world.fs.resolve_parent(new_base, &new)?;
    Ok(world.fs.rename(from, to)?)
}

// What this host does not have: links and sockets.

pub(super) fn path_link(
    _guest: &mut Guest<'_, '_>,
    _fd: u32,
    _lookup: u32,
    _path: u32,
    _len: u32,
    _new_fd: u32,
    _new_path: u32,
    _new_len: u32,
) -> Outcome {
    Err(Errno::NotSupported.into())
}

pub(super) fn path_symlink(
    _guest: &mut Guest<'_, '_>,
    _target: u32,
    _target_len: u32,
    _fd: u32,
    _path: u32,
    _len: u32,
) -> Outcome {
    Err(Errno::NotSupported.into())
}

/// Nothing is a link, so there is nothing to read.
pub(super) fn path_readlink(
    guest: &mut Guest<'_, '_>,
    fd: u32,
    pointer: u32,
    len: u32,
    _buffer: u32,
    _buffer_len: u32,
    _used: u32,
) -> Outcome {
    let path = path(guest, pointer, len)?;
    let world = guest.world();
    let base = world.directory(fd)?;
    world.fs.resolve(base, &path)?;
    Err(Errno::Invalid.into())
}

pub(super) fn sock_accept(_guest: &mut Guest<'_, '_>, _fd: u32, _flags: u32, _accepted: u32) -> Outcome {
    Err(Errno::NotSupported.into())
}

pub(super) fn sock_recv(
    _guest: &mut Guest<'_, '_>,
    _fd: u32,
    _iovecs: u32,
    _count: u32,
    _flags: u32,
    _read: u32,
    _flags_out: u32,
) -> Outcome {
    Err(Errno::NotSupported.into())
}

pub(super) fn sock_send(
    _guest: &mut Guest<'_, '_>,
    _fd: u32,
    _iovecs: u32,
    _count: u32,
    _flags: u32,
    _written: u32,
) -> Outcome {
    Err(Errno::NotSupported.into())
}

pub(super) fn sock_shutdown(_guest: &mut Guest<'_, '_>, _fd: u32, _how: u32) -> Outcome {
    Err(Errno::NotSupported.into())
}
