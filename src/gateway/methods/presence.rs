//! `system-presence`, `system-event`.

use super::{Call, Now};
use crate::gateway::wishes::Wish;
use crate::host::clock;
use crate::protocol::error::ErrorShape;
use crate::protocol::method::{Done, Ignored};
use crate::protocol::methods::presence::{Note, SystemEvent, SystemPresence};
use crate::protocol::presence::PresenceEntry;

impl Now for SystemPresence {
    fn handle(call: &Call<'_>, _: Ignored) -> Result<Vec<PresenceEntry>, ErrorShape> {
        Ok(call.state.presence.list(clock::unix_ms()))
    }
}

impl Now for SystemEvent {
    fn handle(call: &Call<'_>, note: Note) -> Result<Done, ErrorShape> {
        let text = note.text.as_deref().map(str::trim).filter(|text| !text.is_empty());
        let text = text.ok_or_else(|| ErrorShape::invalid("text required"))?.to_owned();
        let state = call.state;
        let news = state.presence.noted(&note, &text, clock::unix_ms());
        // What a node says of itself is queued only when it is news (protocol notes §3.5).
        if !text.starts_with("Node:") || news {
            state.notes.push(&text);
        }
        state.bus.presence_changed();
        state.wishes.make(Wish::Presence);
        Ok(Done { ok: true })
    }
}
