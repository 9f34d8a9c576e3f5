//! Notes that wait for the next turn of the main session (protocol notes §3.5, "system event").

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// Notes kept at most; the oldest makes room.
const MAX_NOTES: usize = 20;
/// Characters kept of a note.
const MAX_CHARS: usize = 2000;

/// The queue of notes.
#[derive(Debug, Default)]
pub struct Notes(Mutex<VecDeque<String>>);

impl Notes {
    /// Queues a note. The same note twice in a row counts once.
    pub fn push(&self, text: &str) {
        let text: String = text.chars().take(MAX_CHARS).collect();
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if notes.back() == Some(&text) {
            return;
        }
        if notes.len() == MAX_NOTES {
            notes.pop_front();
        }
        notes.push_back(text);
    }

    /// All notes, oldest first.
    pub fn list(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_bounded_and_a_repeated_one_counts_once() {
        let notes = Notes::default();
        for number in 0..MAX_NOTES + 2 {
            notes.push(&number.to_string());
            notes.push(&number.to_string());
        }
        notes.push(&"ä".repeat(MAX_CHARS + 1));
        let list = notes.list();
        assert_eq!(list.len(), MAX_NOTES);
        assert_eq!(list[0], "3");
        assert_eq!(list[MAX_NOTES - 1].chars().count(), MAX_CHARS);
    }
}
