//! No answer leaves before its movement is synced: read off a trace.
//!
//! With one caller at a time nothing may lie unsynced in the WAL when an answer leaves. With many, the writer is already
//! at work on the next commit by then; so each answer is matched with the first write to the WAL that contains its key,
//! and a sync that began after that write must have ended before the answer began.

use super::trace::{Call, Event, File};

/// What an answer begins with that acknowledges a movement, or acknowledges it again.
const ACKNOWLEDGEMENTS: [&[u8]; 2] = [b"HTTP/1.1 201", b"HTTP/1.1 200"];

/// An acknowledgement that left the server.
pub(crate) struct Acknowledgement {
    /// The line of the trace at which it began to leave.
    pub(crate) began: usize,
    pub(crate) key: String,
}

/// The acknowledgements of a trace, in order.
pub(crate) fn acknowledgements(events: &[Event]) -> Result<Vec<Acknowledgement>, String> {
    let sent = events.iter().filter_map(|event| match &event.call {
        Call::Send { bytes } if is_acknowledgement(bytes) => Some((event.began, bytes)),
        Call::Send { .. }
        | Call::Write { .. }
        | Call::Fill { .. }
        | Call::Truncate { .. }
        | Call::Sync { .. }
        | Call::Removal => None,
    });
    sent.map(|(began, bytes)| {
        let text = String::from_utf8_lossy(bytes);
        let key = text.split("\"key\":\"").nth(1).and_then(|rest| rest.split('"').next());
        let key = key.ok_or_else(|| format!("an acknowledgement without its key: {text}"))?;
        Ok(Acknowledgement { began, key: key.to_owned() })
    })
    .collect()
}

fn is_acknowledgement(bytes: &[u8]) -> bool {
    ACKNOWLEDGEMENTS.iter().any(|begin| bytes.starts_with(begin)) && contains(bytes, b"\"replayed\":")
}

/// One caller: at each acknowledgement everything in the WAL is synced.
pub(crate) fn nothing_unsynced(events: &[Event], acknowledgements: &[Acknowledgement]) -> Result<(), String> {
    for Acknowledgement { began, key } in acknowledgements {
        let last_write =
            wal_writes(events).filter(|(event, _)| event.began < *began).map(|(event, _)| event.ended).max();
        let Some(last_write) = last_write else {
            return Err(format!("{key} was acknowledged at line {began}, and nothing had been written to the WAL"));
        };
        if !synced_between(events, last_write, *began) {
            return Err(format!(
                "{key} was acknowledged at line {began} of the trace; the WAL was last written at line {last_write}, and \
                 no sync of it came between"
            ));
        }
    }
    Ok(())
}

/// Many callers: each acknowledgement's own bytes are synced.
pub(crate) fn own_write_synced(events: &[Event], acknowledgements: &[Acknowledgement]) -> Result<(), String> {
    for Acknowledgement { began, key } in acknowledgements {
        let first = wal_writes(events).find(|(_, bytes)| contains(bytes, key.as_bytes())).map(|(event, _)| event);
        let Some(write) = first.filter(|write| write.ended < *began) else {
            return Err(format!("{key} was acknowledged at line {began}, and the WAL did not have it"));
        };
        if !synced_between(events, write.ended, *began) {
            return Err(format!(
                "{key} was written to the WAL at line {} of the trace and acknowledged at line {began}; no sync of the \
                 WAL came between",
                write.ended
            ));
        }
    }
    Ok(())
}

/// Whether a sync of the WAL began after line `after` and ended before line `before`.
fn synced_between(events: &[Event], after: usize, before: usize) -> bool {
    let wal = Call::Sync { file: File::Wal };
    events.iter().any(|event| event.call == wal && event.began > after && event.ended < before)
}

fn wal_writes(events: &[Event]) -> impl Iterator<Item = (&Event, &[u8])> {
    events.iter().filter_map(|event| match &event.call {
        Call::Write { file: File::Wal, bytes, .. } => Some((event, bytes.as_slice())),
        // Room for what is to come acknowledges nothing.
        Call::Write { .. }
        | Call::Fill { .. }
        | Call::Truncate { .. }
        | Call::Sync { .. }
        | Call::Send { .. }
        | Call::Removal => None,
    })
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(calls: Vec<Call>) -> Vec<Event> {
        let event = |(line, call)| Event { began: line, ended: line, call };
        calls.into_iter().enumerate().map(event).collect()
    }

    fn write(text: &str) -> Call {
        Call::Write { file: File::Wal, offset: 0, bytes: text.into() }
    }

    fn answer(key: &str) -> Call {
        Call::Send { bytes: format!("HTTP/1.1 201 Created\r\n\r\n{{\"key\":\"{key}\",\"replayed\":false}}").into() }
    }

    const SYNC: Call = Call::Sync { file: File::Wal };

    #[test]
    fn an_answer_after_its_sync_is_right_and_before_it_wrong() {
        for (calls, right) in [
            (vec![write("..k1.."), SYNC, answer("k1")], true),
            (vec![write("..k1.."), answer("k1"), SYNC], false),
            (vec![SYNC, write("..k1.."), answer("k1")], false),
            (vec![answer("k1"), write("..k1.."), SYNC], false),
            (vec![write("..k1.."), Call::Sync { file: File::Database }, answer("k1")], false),
        ] {
            let events = events(calls);
            let acknowledged = acknowledgements(&events).expect("well-formed");
            assert_eq!(nothing_unsynced(&events, &acknowledged).is_ok(), right, "{events:?}");
            assert_eq!(own_write_synced(&events, &acknowledged).is_ok(), right, "{events:?}");
        }
    }

    #[test]
    fn the_next_commit_may_be_under_way() {
        let events = events(vec![write("..k1.."), SYNC, write("..k1..k2.."), answer("k1"), SYNC, answer("k2")]);
        let acknowledged = acknowledgements(&events).expect("well-formed");
        assert!(nothing_unsynced(&events, &acknowledged).is_err());
        assert!(own_write_synced(&events, &acknowledged).is_ok());
    }
}
