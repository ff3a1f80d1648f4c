//! What strace saw: the server's writes, syncs and answers, in the order in which the kernel let them happen.
//!
//! strace stops a thread when a call begins and when it ends, and writes in the order of those stops; so a call whose
//! line ends before another's begins really was over before. Calls of several threads overlap: such a call is cut into
//! an `<unfinished ...>` and a `resumed` line, and is whole again here. All strings are traced in hexadecimal.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

/// The calls by which bytes reach a file or a socket. Any of them on the database that [`Call`] does not know is an error.
const TRACED: &str = "write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg,fdatasync,fsync,sync_file_range,ftruncate,\
    fallocate,rename,renameat,renameat2,unlink,unlinkat";

/// One call that succeeded. `began` and `ended` count lines of the trace.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Event {
    pub(crate) began: usize,
    pub(crate) ended: usize,
    pub(crate) call: Call,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Call {
    /// Bytes into one of the two files, at an offset.
    Write { file: File, offset: usize, bytes: Vec<u8> },
    /// Nothing but zeros into one of the two files: room for what is to come.
    Fill { file: File, offset: usize, length: usize },
    /// A file cut or stretched to a length.
    Truncate { file: File, length: usize },
    /// fdatasync or fsync.
    Sync { file: File },
    /// Bytes to anything else: an answer, if they begin like one.
    Send { bytes: Vec<u8> },
    /// The WAL is removed: the server has copied it into the database and stops.
    Removal,
}

/// The two files that hold the ledger.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum File {
    Database,
    Wal,
}

/// What stands before the server's command line so that it is traced into `file`. Without `--seccomp-bpf`, which would be
/// faster, but lets no signal be injected.
pub(crate) fn strace(file: &Path) -> Vec<OsString> {
    let words = ["strace", "-f", "-qq", "-y", "-xx", "-s", "16777216", "-e", "signal=none", "-e"];
    let mut words: Vec<OsString> = words.map(OsString::from).into();
    words.extend([format!("trace={TRACED}").into(), "-o".into(), file.into()]);
    words
}

/// What else tells strace to kill the server when a thread begins its `nth` fdatasync or fsync: what it wrote before is not synced then.
pub(crate) fn kill_at_sync(nth: u32) -> [OsString; 2] {
    ["-e".into(), format!("inject=fdatasync,fsync:signal=KILL:when={nth}").into()]
}

/// What else tells strace to look at the database file alone, and to let each thread sync it once and then no more.
pub(crate) fn fail_second_sync(database: &Path) -> [OsString; 4] {
    ["-e".into(), "inject=fdatasync,fsync:error=EIO:when=2+".into(), "-P".into(), database.into()]
}

/// Reads a trace of a server whose database file is `database`, up to where it removes its WAL to stop.
pub(crate) fn read(text: &str, database: &str) -> Result<Vec<Event>> {
    let mut events = Vec::new();
    let mut unfinished: HashMap<&str, (usize, String)> = HashMap::new();
    for (line_number, line) in text.lines().enumerate() {
        let (pid, rest) = line.split_once(' ').with_context(|| format!("not a line of strace: {line:.100}"))?;
        let rest = rest.trim_start();
        if let Some(begun) = rest.strip_suffix(" <unfinished ...>") {
            unfinished.insert(pid, (line_number, begun.to_owned()));
            continue;
        }
        let (began, whole) = match rest.strip_prefix("<... ") {
            None => (line_number, rest.to_owned()),
            Some(resumed) => {
                let (_, end) = resumed.split_once(" resumed>").context("a resumed call without its end")?;
                let (began, begun) = unfinished.remove(pid).context("a call resumed that had not begun")?;
                (began, begun + end)
            }
        };
        match read_call(&whole, database).with_context(|| format!("in the trace: {whole:.200}"))? {
            Some(Call::Removal) => break,
            Some(call) => events.push(Event { began, ended: line_number, call }),
            None => {}
        }
    }
    Ok(events)
}

/// The call, if it succeeded and is one that matters.
fn read_call(text: &str, database: &str) -> Result<Option<Call>> {
    let Some((call, result)) = text.rsplit_once(" = ") else { return Ok(None) };
    let Some((name, arguments)) = call.trim_end().trim_end_matches(')').split_once('(') else { return Ok(None) };
    let Ok(result) = result.split(' ').next().unwrap_or_default().parse::<usize>() else { return Ok(None) };
    let file = match descriptor_path(arguments)?.strip_prefix(database) {
        Some("") => Some(File::Database),
        Some("-wal") => Some(File::Wal),
        _ => None,
    };
    // Descriptors are `3<path>`: the commas that separate arguments come after it.
    let numbers = || arguments.rsplit(", ").map(str::trim);
    Ok(match (name, file) {
        ("fdatasync" | "fsync", Some(file)) => Some(Call::Sync { file }),
        ("ftruncate", Some(file)) => {
            Some(Call::Truncate { file, length: numbers().next().context("no length")?.parse()? })
        }
        ("pwrite64", Some(file)) => {
            let mut bytes = strings(arguments)?;
            ensure!(bytes.len() >= result, "strace shortened a write");
            bytes.truncate(result);
            let offset = numbers().next().context("no offset")?.parse()?;
            let is_room = bytes.iter().all(|&byte| byte == 0);
            Some(if is_room {
                Call::Fill { file, offset, length: result }
            } else {
                Call::Write { file, offset, bytes }
            })
        }
        ("unlink", _) if strings(arguments)? == format!("{database}-wal").into_bytes() => Some(Call::Removal),
        ("rename" | "renameat" | "renameat2" | "unlink" | "unlinkat", _) => {
            let path = String::from_utf8_lossy(&strings(arguments)?).into_owned();
            let ours = path.ends_with(database) || path.ends_with(&format!("{database}-wal"));
            ensure!(!ours, "the server used {name} on {path}; this check must learn what that does");
            None
        }
        (_, Some(_)) => bail!("the server used {name} on its database; this check must learn what that does"),
        ("write" | "writev" | "sendto" | "sendmsg", None) => Some(Call::Send { bytes: strings(arguments)? }),
        (_, None) => None,
    })
}

/// The path of the descriptor that is the first argument; empty where it has none.
fn descriptor_path(arguments: &str) -> Result<String> {
    let first = arguments.split(',').next().unwrap_or_default();
    let path = first.split_once('<').map_or("", |(_, path)| path.trim_end_matches('>'));
    Ok(String::from_utf8_lossy(&unhex(path)?).into_owned())
}

/// All quoted strings of the arguments, one after the other.
fn strings(arguments: &str) -> Result<Vec<u8>> {
    let quoted = arguments.split('"').skip(1).step_by(2);
    quoted.map(unhex).try_fold(Vec::new(), |mut bytes, part| {
        bytes.extend(part?);
        Ok(bytes)
    })
}

/// `\x41\x42` as bytes. The log's zeros make millions of them.
fn unhex(text: &str) -> Result<Vec<u8>> {
    let (bytes, rest) = text.as_bytes().as_chunks::<4>();
    ensure!(rest.is_empty(), "not whole bytes: {text:.20}");
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let byte = |[slash, x, high, low]: &[u8; 4]| {
        let is_byte = (*slash, *x) == (b'\\', b'x');
        is_byte.then(|| Some(digit(*high)? << 4 | digit(*low)?)).flatten()
    };
    bytes.iter().map(|four| byte(four).with_context(|| format!("not a byte: {four:?}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> String {
        text.bytes().map(|byte| format!("\\x{byte:02x}")).collect()
    }

    #[test]
    fn calls_that_overlap_are_whole_again_and_failed_ones_are_left_out() {
        let (wal, other) = (hex("/d/sodu.db-wal"), hex("socket:[7]"));
        let text = format!(
            "11 pwrite64(5<{wal}>, \"{}\", 3, 32) = 3\n\
             11 fdatasync(5<{wal}> <unfinished ...>\n\
             12 writev(9<{other}>, [{{iov_base=\"{}\", iov_len=2}}, {{iov_base=\"{}\", iov_len=1}}], 2) = 3\n\
             11 <... fdatasync resumed>)        = 0\n\
             11 fdatasync(5<{wal}>) = -1 EIO (Input/output error)\n\
             11 ftruncate(5<{wal}>, 0) = 0\n",
            hex("abc"),
            hex("HT"),
            hex("P"),
        );
        let events = read(&text, "/d/sodu.db").expect("a trace");
        let file = File::Wal;
        let expected = [
            (0, 0, Call::Write { file, offset: 32, bytes: b"abc".to_vec() }),
            (2, 2, Call::Send { bytes: b"HTP".to_vec() }),
            (1, 3, Call::Sync { file }),
            (5, 5, Call::Truncate { file, length: 0 }),
        ];
        assert_eq!(events, expected.map(|(began, ended, call)| Event { began, ended, call }));
    }

    #[test]
    fn an_unknown_way_to_write_the_database_is_an_error() {
        let text = format!("11 write(5<{}>, \"{}\", 1) = 1\n", hex("/d/sodu.db"), hex("a"));
        assert!(read(&text, "/d/sodu.db").is_err());
    }
}
