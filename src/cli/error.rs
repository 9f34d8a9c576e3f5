//! How a command fails: what, why, what to do next, and the exit code.

use std::error::Error;
use std::fmt;

use crate::exit::ExitCode;

/// The failure of a command. The message names the operation and the thing; the causes follow; hints say what to do.
#[derive(Debug)]
pub(super) struct CliError {
    code: ExitCode,
    message: String,
    cause: Option<Box<dyn Error + Send + Sync>>,
    details: Vec<String>,
    hints: Vec<String>,
}

impl CliError {
    pub(super) fn new(code: ExitCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), cause: None, details: Vec::new(), hints: Vec::new() }
    }

    /// Adds lines that say more.
    pub(super) fn details(mut self, details: Vec<String>) -> Self {
        self.details = details;
        self
    }

    /// Adds what the operator can do next.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds why it happened.
    pub(super) fn cause(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    pub(super) fn code(&self) -> ExitCode {
        self.code
    }

    /// Lines that say more.
    pub(super) fn lines(&self) -> &[String] {
        &self.details
    }

    pub(super) fn hints(&self) -> &[String] {
        &self.hints
    }
}

/// The message and the whole chain of causes, in one line.
impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        let mut cause = self.cause.as_deref().map(|cause| cause as &dyn Error);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
