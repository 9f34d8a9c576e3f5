//! The figures, as a table for people and as JSON for machines.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::samples::Samples;

/// One figure.
#[derive(Debug)]
pub struct Figure {
    /// What was measured.
    pub name: String,
    /// The unit of all its numbers.
    pub unit: &'static str,
    /// Of the bare server, where it has such a thing.
    pub bare: Option<Samples>,
    /// Of the gateway.
    pub gateway: Samples,
    /// What it should be.
    pub goal: Option<Goal>,
    /// What one must know to read it.
    pub note: String,
}

/// What a figure should be.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    /// At most so many times the bare server's.
    Times(f64),
    /// At most so much.
    AtMost(f64),
}

/// A line of the report.
#[derive(Debug)]
pub enum Row {
    /// A figure.
    Measured(Figure),
    /// What could not be measured.
    Missing {
        /// The group of figures.
        topic: String,
        /// The reason.
        why: String,
    },
}

/// All of it.
#[derive(Debug)]
pub struct Report {
    /// The machine, before the first figure.
    machine: String,
    /// The figures, in order.
    pub rows: Vec<Row>,
}

impl Figure {
    /// The ratio of the medians.
    fn ratio(&self) -> Option<f64> {
        let bare = self.bare.as_ref()?.median();
        (bare > 0.0).then(|| self.gateway.median() / bare)
    }

    fn met(&self) -> Option<bool> {
        match self.goal? {
            Goal::Times(limit) => Some(self.ratio()? <= limit),
            Goal::AtMost(limit) => Some(self.gateway.median() <= limit),
        }
    }

    fn cells(&self) -> [String; 6] {
        let goal = match self.goal {
            Some(Goal::Times(limit)) => format!("<= {limit}x"),
            Some(Goal::AtMost(limit)) => format!("<= {limit} {}", self.unit),
            None => "-".to_owned(),
        };
        let verdict = match self.met() {
            Some(true) => "met",
            Some(false) => "missed",
            None => "-",
        };
        [
            format!("{}, {}", self.name, self.unit),
            self.bare.as_ref().map_or_else(|| "-".to_owned(), spread),
            spread(&self.gateway),
            self.ratio().map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}x")),
            goal,
            verdict.to_owned(),
        ]
    }

    fn to_json(&self) -> Value {
        let samples = |samples: &Samples| {
            json!({
                "median": samples.median(), "min": samples.min(), "max": samples.max(), "samples": samples.all(),
            })
        };
        let goal = self.goal.map(|goal| match goal {
            Goal::Times(limit) => json!({ "timesBare": limit }),
            Goal::AtMost(limit) => json!({ "atMost": limit }),
        });
        json!({
            "name": self.name, "unit": self.unit, "bare": self.bare.as_ref().map(samples),
            "gateway": samples(&self.gateway), "ratio": self.ratio(), "goal": goal, "met": self.met(),
            "note": self.note,
        })
    }
}

impl Report {
    /// An empty one.
    pub fn new(machine: String) -> Self {
        Self { machine, rows: Vec::new() }
    }

    /// Whether everything could be measured.
    pub fn complete(&self) -> bool {
        self.rows.iter().all(|row| matches!(row, Row::Measured(_)))
    }

    /// One JSON document.
    pub fn to_json(&self) -> Value {
        let row = |row: &Row| match row {
            Row::Measured(figure) => figure.to_json(),
            Row::Missing { topic, why } => json!({ "name": topic, "notAvailable": why }),
        };
        json!({ "machine": self.machine, "figures": self.rows.iter().map(row).collect::<Vec<_>>() })
    }

    /// A table: medians, with the smallest and the largest sample, and the ratio of the medians.
    pub fn to_table(&self) -> String {
        let head = ["figure", "bare", "gateway", "ratio", "goal", ""].map(str::to_owned);
        let mut lines = vec![head];
        let mut notes = String::new();
        for row in &self.rows {
            match row {
                Row::Measured(figure) => {
                    lines.push(figure.cells());
                    if !figure.note.is_empty() {
                        // Writing to a string cannot fail.
                        let _ = writeln!(notes, "{}: {}", figure.name, figure.note);
                    }
                }
                Row::Missing { topic, why } => {
                    lines.push([topic, "-", "not available", "-", "-", "-"].map(str::to_owned));
                    let _ = writeln!(notes, "{topic}: not available: {why}");
                }
            }
        }
        let widths: [usize; 6] =
            std::array::from_fn(|at| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0));
        let mut table = String::new();
        for line in &lines {
            let cells = line.iter().zip(widths).enumerate().map(|(at, (cell, width))| match at {
                1..=3 => format!("{cell:>width$}"),
                _ => format!("{cell:<width$}"),
            });
            let _ = writeln!(table, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
        }
        format!("{}\n\n{table}\n{notes}", self.machine)
    }
}

/// The median and, of several samples, the smallest and the largest.
fn spread(samples: &Samples) -> String {
    match samples.all() {
        [one] => number(*one),
        _ => format!("{} ({}..{})", number(samples.median()), number(samples.min()), number(samples.max())),
    }
}

/// Three significant digits, more only before the point.
fn number(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        middle if middle >= 10.0 => format!("{value:.1}"),
        0.0 => "0".to_owned(),
        _ => format!("{value:.2}"),
    }
}
