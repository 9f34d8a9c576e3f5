//! Who is there: connected clients, what notes said of others, and the gateway itself (protocol notes §3.5).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::value::RawValue;

use crate::host::machine;
use crate::protocol::methods::presence::Note;
use crate::protocol::presence::PresenceEntry;

/// How long an entry stays after the last that was heard of it, milliseconds.
const TTL_MS: u64 = 300_000;
/// Entries kept at most; the one heard of longest ago makes room.
const MAX_ENTRIES: usize = 200;
/// Of these, clients that have gone: scripts that come and go must not fill every `hello-ok`.
const MAX_GONE: usize = 32;
/// Characters of a note that name an entry when nothing better does.
const KEY_CHARS: usize = 64;
/// Characters kept of each thing a note says, and things kept of each of its lists.
const MAX_CHARS: usize = 2000;
const MAX_ITEMS: usize = 32;

/// The presence list.
#[derive(Debug)]
pub struct PresenceList {
    own: PresenceEntry,
    entries: Mutex<HashMap<String, Known>>,
}

#[derive(Debug)]
struct Known {
    entry: PresenceEntry,
    /// The entry as JSON, made when it changes rather than at every `hello-ok`.
    json: Arc<RawValue>,
    /// Its connections: as long as there is one it does not expire. A browser has one for every tab.
    connections: u32,
}

impl PresenceList {
    /// A list with nobody but the gateway itself.
    pub fn new(version: &str) -> Self {
        let host = machine::host_name();
        let ip = machine::outward_address().map(|ip| ip.to_string());
        let place = ip.as_deref().map(|ip| format!(" ({ip})")).unwrap_or_default();
        let own = PresenceEntry {
            text: Some(format!("Gateway: {host}{place} · app {version} · mode gateway · reason self")),
            host: Some(host),
            ip,
            version: Some(version.to_owned()),
            platform: Some(machine::platform()),
            device_family: Some(family().to_owned()),
            model_identifier: Some(std::env::consts::ARCH.to_owned()),
            mode: Some("gateway".to_owned()),
            reason: Some("self".to_owned()),
            ..PresenceEntry::default()
        };
        Self { own, entries: Mutex::default() }
    }

    /// A client has connected.
    pub fn connected(&self, key: &str, entry: PresenceEntry) {
        self.put(key, entry, 1);
    }

    /// A connection of a client has ended. Says whether the list changed.
    pub fn disconnected(&self, key: &str, now_ms: u64) -> bool {
        let mut entries = self.lock();
        let Some(known) = entries.get_mut(key) else { return false };
        known.connections = known.connections.saturating_sub(1);
        if known.connections > 0 {
            return false;
        }
        known.entry.reason = Some("disconnect".to_owned());
        known.entry.ts = now_ms;
        known.json = json(&known.entry);
        forget_oldest_gone(&mut entries);
        true
    }

    /// A note says something of somebody. Says whether host, address, version, mode or reason are news.
    pub fn noted(&self, note: &Note, text: &str, now_ms: u64) -> bool {
        let (key, entry) = from_note(note, text, now_ms);
        let before = self.lock().get(&key).map(|known| known.entry.clone());
        let news = before.is_none_or(|before| is_news(&before, &entry));
        self.put(&key, entry, 0);
        news
    }

    /// Everybody, newest first.
    pub fn list(&self, now_ms: u64) -> Vec<PresenceEntry> {
        let mut entries = self.lock();
        expire(&mut entries, now_ms);
        let mut list: Vec<_> = entries.values().map(|known| known.entry.clone()).collect();
        list.push(PresenceEntry { ts: now_ms, ..self.own.clone() });
        list.sort_by_key(|entry| std::cmp::Reverse(entry.ts));
        list
    }

    /// The same, each as JSON that is made already.
    pub fn json(&self, now_ms: u64) -> Vec<Arc<RawValue>> {
        let own = json(&PresenceEntry { ts: now_ms, ..self.own.clone() });
        let mut entries = self.lock();
        expire(&mut entries, now_ms);
        let mut known: Vec<_> = entries.values().map(|known| (known.entry.ts, &known.json)).collect();
        known.sort_unstable_by_key(|(ts, _)| std::cmp::Reverse(*ts));
        let rest = known.into_iter().map(|(_, json)| Arc::clone(json));
        std::iter::once(own).chain(rest).collect()
    }

    fn put(&self, key: &str, entry: PresenceEntry, more: u32) {
        let json = json(&entry);
        let mut entries = self.lock();
        let connections = entries.get(key).map_or(0, |known| known.connections) + more;
        if entries.len() >= MAX_ENTRIES && !entries.contains_key(key) {
            let oldest = entries.iter().min_by_key(|(_, known)| (known.connections > 0, known.entry.ts));
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                entries.remove(&oldest);
            }
        }
        entries.insert(key.to_owned(), Known { entry, json, connections });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        // Entries are put in whole.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn expire(entries: &mut HashMap<String, Known>, now_ms: u64) {
    entries.retain(|_, known| known.connections > 0 || now_ms.saturating_sub(known.entry.ts) <= TTL_MS);
}

/// Keeps the number of clients that have gone within its bound.
fn forget_oldest_gone(entries: &mut HashMap<String, Known>) {
    let gone = |known: &Known| known.connections == 0 && known.entry.reason.as_deref() == Some("disconnect");
    if entries.values().filter(|known| gone(known)).count() > MAX_GONE {
        let oldest = entries.iter().filter(|(_, known)| gone(known)).min_by_key(|(_, known)| known.entry.ts);
        if let Some(key) = oldest.map(|(key, _)| key.clone()) {
            entries.remove(&key);
        }
    }
}

fn json(entry: &PresenceEntry) -> Arc<RawValue> {
    // An entry is strings and numbers: it always serialises.
    serde_json::value::to_raw_value(entry).unwrap_or_default().into()
}

/// Whether an entry says something else than before. That a reason is only routine now is no news (protocol notes §3.5).
fn is_news(before: &PresenceEntry, now: &PresenceEntry) -> bool {
    let reason = now.reason.as_deref().unwrap_or_default().to_lowercase();
    let routine = reason.starts_with("periodic") || reason == "heartbeat";
    let place = |entry: &PresenceEntry| {
        let PresenceEntry { host, ip, version, mode, .. } = entry.clone();
        [host, ip, version, mode]
    };
    place(before) != place(now) || (!routine && before.reason != now.reason)
}

fn family() -> &'static str {
    match std::env::consts::OS {
        "macos" => "Mac",
        "windows" => "Windows",
        _ => "Linux",
    }
}

/// The entry a note speaks of, and its key.
fn from_note(note: &Note, text: &str, now_ms: u64) -> (String, PresenceEntry) {
    let told = NodeText::parse(text);
    let kept = |text: &str| text.chars().take(MAX_CHARS).collect::<String>();
    let own = |own: &Option<String>| own.as_deref().map(kept);
    let pick = |own: &Option<String>, told: Option<&str>| own.as_deref().or(told).map(kept);
    let list = |own: &Option<Vec<String>>| {
        own.as_ref().map(|list| list.iter().take(MAX_ITEMS).map(|text| kept(text)).collect())
    };
    let entry = PresenceEntry {
        host: pick(&note.host, told.host),
        ip: pick(&note.ip, told.ip),
        version: pick(&note.version, told.version),
        platform: own(&note.platform),
        device_family: own(&note.device_family),
        model_identifier: own(&note.model_identifier),
        mode: pick(&note.mode, told.mode),
        last_input_seconds: note
            .last_input_seconds
            .map(|seconds| seconds.max(0.0) as u64)
            .or(told.last_input),
        reason: pick(&note.reason, told.reason),
        device_id: own(&note.device_id),
        roles: list(&note.roles),
        scopes: list(&note.scopes),
        instance_id: own(&note.instance_id),
        tags: list(&note.tags),
        text: Some(kept(text)),
        ts: now_ms,
    };
    let named = entry.device_id.as_deref().or(entry.instance_id.as_deref()).or(told.host);
    let named = named.or(entry.ip.as_deref()).map(kept);
    let key = named.unwrap_or_else(|| text.chars().take(KEY_CHARS).collect());
    (key.to_lowercase(), entry)
}

/// `Node: <host> (<ip>) · app <v> · last input <n>s ago · mode <m> · reason <r>`; of what follows the address, any part.
#[derive(Debug, Default, PartialEq, Eq)]
struct NodeText<'a> {
    host: Option<&'a str>,
    ip: Option<&'a str>,
    version: Option<&'a str>,
    last_input: Option<u64>,
    mode: Option<&'a str>,
    reason: Option<&'a str>,
}

impl<'a> NodeText<'a> {
    fn parse(text: &'a str) -> Self {
        let mut told = Self::default();
        let Some(rest) = text.strip_prefix("Node:") else { return told };
        let mut parts = rest.split('·').map(str::trim);
        let head = parts.next().and_then(|head| head.strip_suffix(')')?.split_once('('));
        let Some((host, ip)) = head.map(|(host, ip)| (host.trim(), ip.trim())) else { return told };
        (told.host, told.ip) = (Some(host), Some(ip));
        for part in parts {
            if let Some(version) = part.strip_prefix("app ") {
                told.version = Some(version);
            } else if let Some(mode) = part.strip_prefix("mode ") {
                told.mode = Some(mode);
            } else if let Some(reason) = part.strip_prefix("reason ") {
                told.reason = Some(reason);
            } else if let Some(seconds) =
                part.strip_prefix("last input ").and_then(|part| part.strip_suffix("s ago"))
            {
                told.last_input = seconds.parse().ok();
            }
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(host: &str, ts: u64) -> PresenceEntry {
        PresenceEntry { host: Some(host.to_owned()), ts, ..PresenceEntry::default() }
    }

    fn hosts(list: &[PresenceEntry]) -> Vec<&str> {
        list.iter()
            .filter(|entry| entry.mode.as_deref() != Some("gateway"))
            .filter_map(|entry| entry.host.as_deref())
            .collect()
    }

    #[test]
    fn the_gateway_is_always_there_and_both_forms_agree() {
        let list = PresenceList::new("1");
        list.connected("a", entry("a", 10));
        let typed = serde_json::to_value(list.list(20)).unwrap();
        let made: Vec<serde_json::Value> =
            list.json(20).iter().map(|entry| serde_json::from_str(entry.get()).unwrap()).collect();
        assert_eq!(typed, serde_json::Value::from(made));
        assert_eq!(typed[0]["reason"], "self");
        assert_eq!(typed[0]["ts"], 20);
    }

    #[test]
    fn those_who_left_expire_and_those_who_are_connected_do_not() {
        let list = PresenceList::new("1");
        list.connected("a", entry("a", 10));
        list.connected("b", entry("b", 11));
        assert!(list.disconnected("b", 12));
        assert!(!list.disconnected("c", 12));
        assert_eq!(hosts(&list.list(12 + TTL_MS)), ["b", "a"]);
        assert_eq!(hosts(&list.list(13 + TTL_MS)), ["a"]);
    }

    #[test]
    fn a_client_is_there_until_its_last_connection_ends() {
        let list = PresenceList::new("1");
        list.connected("a", entry("a", 10));
        list.connected("a", entry("a", 11));
        let note = Note { instance_id: Some("a".to_owned()), ..Note::default() };
        list.noted(&note, "busy", 12);
        assert!(!list.disconnected("a", 13));
        assert_eq!(list.list(13 + TTL_MS).len(), 2);
        assert!(list.disconnected("a", 14));
        assert_eq!(list.list(15 + TTL_MS).len(), 1);
    }

    #[test]
    fn of_a_note_only_so_much_is_kept() {
        let list = PresenceList::new("1");
        let long = "x".repeat(MAX_CHARS + 1);
        let note = Note {
            host: Some(long.clone()),
            tags: Some(vec![long.clone(); MAX_ITEMS + 1]),
            instance_id: Some(long.clone()),
            ..Note::default()
        };
        list.noted(&note, &long, 1);
        let kept = list.list(2).pop().unwrap();
        assert_eq!(kept.host.unwrap().len(), MAX_CHARS);
        assert_eq!(kept.text.unwrap().len(), MAX_CHARS);
        assert_eq!(kept.tags.unwrap(), vec!["x".repeat(MAX_CHARS); MAX_ITEMS]);
    }

    #[test]
    fn of_those_who_left_only_the_latest_are_remembered() {
        let list = PresenceList::new("1");
        for number in 0..MAX_GONE as u64 + 5 {
            list.connected(&number.to_string(), entry(&number.to_string(), number));
            list.disconnected(&number.to_string(), number);
        }
        let now = list.list(100);
        assert_eq!(hosts(&now).len(), MAX_GONE);
        assert!(hosts(&now).contains(&"36") && !hosts(&now).contains(&"4"));
    }

    #[test]
    fn the_list_is_bounded_and_those_who_left_make_room_first() {
        let list = PresenceList::new("1");
        for number in 0..MAX_ENTRIES {
            list.connected(&number.to_string(), entry(&number.to_string(), number as u64));
        }
        list.disconnected("7", 1_000);
        list.connected("new", entry("new", 1_001));
        let now = list.list(1_001);
        let hosts = hosts(&now);
        assert_eq!(hosts.len(), MAX_ENTRIES);
        assert!(hosts.contains(&"new") && hosts.contains(&"0") && !hosts.contains(&"7"));
    }

    #[test]
    fn a_node_text_is_read_and_only_news_is_news() {
        let text = "Node: mac (192.0.2.5) · app 1.2 · last input 7s ago · mode ui · reason launch";
        let told = NodeText::parse(text);
        let expected = NodeText {
            host: Some("mac"),
            ip: Some("192.0.2.5"),
            version: Some("1.2"),
            last_input: Some(7),
            mode: Some("ui"),
            reason: Some("launch"),
        };
        assert_eq!(told, expected);
        // Capture `226-direct-nodevice-gatewayclient-backend`: a text of another form tells nothing.
        for text in ["Node: bench ping", "Node: mac · mode ui", "hello", "Node:"] {
            assert_eq!(NodeText::parse(text), NodeText::default(), "{text}");
        }

        let list = PresenceList::new("1");
        assert!(list.noted(&Note::default(), text, 1));
        assert!(!list.noted(&Note::default(), text, 2));
        let moved = Note { ip: Some("192.0.2.6".to_owned()), ..Note::default() };
        assert!(list.noted(&moved, text, 3));
        assert_eq!(hosts(&list.list(3)), ["mac"]);
        let routine = text.replace("launch", "Periodic check");
        assert!(!list.noted(&moved, &routine, 4));
        assert!(list.noted(&Note::default(), &routine, 5), "another address is news whatever the reason");
        assert!(list.noted(&Note::default(), text, 6));
    }
}
