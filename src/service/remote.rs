//! Another machine, whose service manager is meant instead of this one's.
//!
//! Pure: a name, as ssh(1) takes it. How it is reached is the backend's business.

use std::fmt;

/// `[USER@]SERVER`: what ssh(1) takes, an alias of its configuration included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host(String);

impl Host {
    /// Reads a destination. One that ssh would take for an option, or that its far end would take for more than one word,
    /// is refused.
    pub fn parse(text: &str) -> Result<Self, String> {
        let plain = |c: char| c.is_alphanumeric() || "@.-_:".contains(c);
        match text {
            "" => Err("it is empty: name a machine, such as ada@server".to_owned()),
            _ if text.starts_with('-') => Err("a machine's name does not begin with \"-\"".to_owned()),
            _ if !text.chars().all(plain) => {
                Err("use [USER@]SERVER, or an alias from ~/.ssh/config, without a port or a command"
                    .to_owned())
            }
            _ => Ok(Self(text.to_owned())),
        }
    }

    /// As ssh takes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ssh_or_a_shell_would_take_for_something_else_is_no_host() {
        for good in ["server", "ada@server.example", "ada@10.0.0.1", "ada@fe80::1", "my_alias"] {
            assert_eq!(Host::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "-oProxyCommand=x", "a b", "a;reboot", "a$(x)", "a\nb", "a/b", "a'b"] {
            assert!(Host::parse(bad).is_err(), "{bad:?}");
        }
    }
}
