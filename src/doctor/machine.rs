//! What the machine allows: room on disk, the clock, whether a program may run from where it is.

use std::path::{Path, PathBuf};

use rustix::fs::{StatVfsMountFlags, statvfs};

/// A file system under a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Space {
    /// The path that was asked for.
    pub path: PathBuf,
    /// Bytes that this user may still write.
    pub free: u64,
    /// Files that may still be made; none where the file system has no such limit.
    pub files: Option<u64>,
    /// Whether nothing may be written.
    pub read_only: bool,
    /// Whether nothing may be run from it.
    pub no_exec: bool,
}

/// Asks for the file system of a path, or of the nearest directory above it that exists.
pub fn space(path: &Path) -> Result<Space, String> {
    let there = path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let found = statvfs(there).map_err(|error| std::io::Error::from(error).to_string())?;
    Ok(Space {
        path: path.to_owned(),
        free: found.f_bavail.saturating_mul(found.f_frsize),
        files: (found.f_files > 0).then_some(found.f_favail),
        read_only: found.f_flag.contains(StatVfsMountFlags::RDONLY),
        no_exec: forbids_programs(found.f_flag),
    })
}

/// Only Linux tells (statvfs(3)).
fn forbids_programs(flags: StatVfsMountFlags) -> bool {
    #[cfg(target_os = "linux")]
    let forbidden = flags.contains(StatVfsMountFlags::NOEXEC);
    #[cfg(not(target_os = "linux"))]
    let forbidden = {
        let _ = flags;
        false
    };
    forbidden
}

/// The architecture that a program is made for, by its ELF header (elf(5)); none for what is no such program.
pub fn architecture(path: &Path) -> Option<u16> {
    use std::io::Read;
    let mut head = [0_u8; 20];
    // Opening a pipe may never return.
    if !path.metadata().ok()?.is_file() {
        return None;
    }
    std::fs::File::open(path).ok()?.read_exact(&mut head).ok()?;
    parse_architecture(&head)
}

fn parse_architecture(head: &[u8; 20]) -> Option<u16> {
    let [b'\x7f', b'E', b'L', b'F', ..] = head else { return None };
    let bytes = [head[18], head[19]];
    // The sixth byte tells the order of the others.
    Some(if head[5] == 2 { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
}

/// The SELinux label of a file, where SELinux enforces anything.
pub fn enforced_label(path: &Path) -> Option<String> {
    let enforcing = std::fs::read_to_string("/sys/fs/selinux/enforce").ok()?;
    if enforcing.trim() != "1" {
        return None;
    }
    let mut buffer = vec![0_u8; 256];
    let length = rustix::fs::getxattr(path, "security.selinux", &mut buffer[..]).ok()?;
    let label = String::from_utf8_lossy(buffer.get(..length)?).into_owned();
    Some(label.trim_end_matches('\0').to_owned())
}

/// What encrypts a home directory so that it can be read only after a login, if anything does.
pub fn encryption(home: &Path) -> Option<&'static str> {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    parse_encryption(&mounts, home).or_else(|| {
        let beside = home
            .parent()
            .zip(home.file_name())
            .map(|(dir, name)| dir.join(format!("{}.homedir", name.to_string_lossy())));
        beside.is_some_and(|path| path.exists()).then_some("systemd-homed")
    })
}

fn parse_encryption(mounts: &str, home: &Path) -> Option<&'static str> {
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ');
        let (device, place, kind) = (fields.next()?, fields.next()?, fields.next()?);
        if Path::new(place) != home {
            return None;
        }
        match kind {
            "ecryptfs" => Some("eCryptfs"),
            "fuse.gocryptfs" => Some("gocryptfs"),
            "fuse.encfs" => Some("EncFS"),
            _ if device.starts_with("/dev/mapper/home-") => Some("systemd-homed"),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_mounts_and_space_are_read() {
        let mut head = [0_u8; 20];
        head[..6].copy_from_slice(b"\x7fELF\x02\x01");
        head[18] = 62;
        assert_eq!(parse_architecture(&head), Some(62));
        head[5] = 2;
        head[18..].copy_from_slice(&[0, 183]);
        assert_eq!(parse_architecture(&head), Some(183));
        assert_eq!(parse_architecture(b"#!/bin/sh\n0123456789"), None);
        let mounts = "/dev/sda1 / ext4 rw 0 0\n/home/.ecryptfs/ada /home/ada ecryptfs rw 0 0\n";
        assert_eq!(parse_encryption(mounts, Path::new("/home/ada")), Some("eCryptfs"));
        assert_eq!(parse_encryption(mounts, Path::new("/home/bob")), None);
        assert!(space(Path::new("/nowhere/at/all")).unwrap().free > 0);
    }
}
