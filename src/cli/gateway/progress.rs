//! The steps of a verb as they happen, for somebody who watches: one line for each step, with what the service says
//! about itself and how long it takes. Nothing on a pipe.

use std::time::Duration;

use crate::cli::ui::Ui;
use crate::service::manager::Progress;

/// What is shown of the step that is under way.
#[derive(Default)]
pub(super) struct Steps {
    /// The step, without what is still to come of it.
    step: String,
}

impl Steps {
    /// Shows what happened.
    pub(super) fn show(&mut self, progress: &Progress<'_>, ui: &mut Ui) {
        match progress {
            Progress::Step { number, of, planned } => {
                self.begin(format!("[{number}/{of}] {}", planned.step), ui);
            }
            Progress::Waiting { elapsed, status } => {
                ui.progress(&format!("{}{}", self.step, waiting(*elapsed, *status)));
            }
            Progress::Undoing { because } => self.begin(format!("undoing it: {because}"), ui),
        }
    }

    fn begin(&mut self, step: String, ui: &mut Ui) {
        self.end(ui);
        ui.progress(&step);
        self.step = step;
    }

    /// Leaves the last step as it is.
    pub(super) fn end(&mut self, ui: &mut Ui) {
        if !self.step.is_empty() {
            ui.end_progress();
            self.step.clear();
        }
    }
}

/// Whole seconds: a step that needs none shows none.
fn waiting(elapsed: Duration, status: Option<&str>) -> String {
    let seconds = match elapsed.as_secs() {
        0 => String::new(),
        seconds => format!(" ({seconds} s)"),
    };
    let status = status.map(|status| format!(": {status}")).unwrap_or_default();
    format!("{seconds}{status}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_is_waited_for_says_how_long_and_what_for() {
        let table = [
            (0, None, ""),
            (400, Some("starting"), ": starting"),
            (1400, None, " (1 s)"),
            (61_000, Some("draining 2 runs"), " (61 s): draining 2 runs"),
        ];
        for (elapsed, status, expected) in table {
            assert_eq!(waiting(Duration::from_millis(elapsed), status), expected);
        }
    }
}
