//! A file that is lent out, as file servers do it: whoever opens it waits (fcntl(2), "Leases").

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Whoever opens the file waits until this is dropped; no longer than the system lets a lease last, 45 s.
pub struct Lease(Child);

impl Lease {
    /// Lends the file out.
    pub fn take(path: &Path) -> Self {
        // 1024 is F_SETLEASE, 1 is F_WRLCK; SIGIO says that somebody waits.
        let hold = "$SIG{IO} = 'IGNORE'; open(F, '+<', $ARGV[0]) && fcntl(F, 1024, 1) or die $!; $| = 1; print \"held\\n\"; <STDIN>";
        let mut holder = Command::new("perl")
            .args(["-e", hold])
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("perl runs");
        let mut said = [0; 5];
        holder.stdout.take().unwrap().read_exact(&mut said).expect("the file is lent out");
        Self(holder)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // It ends with its standard input.
        let _ = self.0.wait();
    }
}
