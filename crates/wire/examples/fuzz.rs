//! Damages good answers at random and reads what is left, for a number of seconds: `fuzz SECONDS [SEED]`.
//!
//! Nothing may panic, and what is read must agree with readers written differently: serde_json's tree of values for the
//! shape, the standard library's correctly rounded floats for every figure. A failure prints seed, turn and body.

#![expect(clippy::print_stdout, reason = "what it prints is its result")]

use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use wire::{Decimal, NotAReply, Reply, read_reply};

/// What damage begins with: every way in which an answer is seen to be written.
const GOOD: [&str; 8] = [
    r#"{"Balance":36693,"CodeResponse":"100","UserID":9999}"#,
    r#"{"Balance":0,"CodeResponse":"101","ErrorMessage":"Authorize Failed"}"#,
    r#"{"Balance":1.26743233E+15,"CodeResponse":"100","UserID":2147483647}"#,
    r#"{"Balance":"-12.50","CodeResponse":100,"UserID":"9999"}"#,
    r#"{"Balance":0.30000000000000004,"CodeResponse":1e2,"UserID":1.0}"#,
    r#"{"CodeResponse":"99","ErrorMessage":"\u0110\n\ud83d\ude00","Balance":null,"x":[{"y":[1e9]}]}"#,
    "\u{feff} { \"UserID\" : 1 , \"Balance\" : 123456789012345678901234567890.123456 , \"CodeResponse\" : 100 } ",
    "<MemberModel><Balance>1</Balance></MemberModel>",
];
/// What is put in.
const PIECES: [&str; 24] = [
    "{",
    "}",
    "[",
    "]",
    "\"",
    ",",
    ":",
    "\\u",
    "\\",
    "e",
    "E+",
    "-",
    ".",
    "0",
    "9",
    "00000000000000000000",
    "1e36",
    "null",
    "true",
    "\"Balance\":",
    "\"CodeResponse\":100,",
    "\u{feff}",
    " ",
    "<",
];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).map_while(|text| text.parse::<u64>().ok());
    let Some(seconds) = arguments.next() else {
        println!("usage: fuzz SECONDS [SEED]");
        return ExitCode::from(2);
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |now| now.as_secs());
    let seed = arguments.next().unwrap_or(now);
    println!("fuzz: seed {seed}");
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let (mut turns, mut answers) = (0_u64, 0_u64);
    while Instant::now() < until {
        for _ in 0..1000 {
            let body = damaged(&mut random);
            match check(&body) {
                Ok(is_answer) => answers += u64::from(is_answer),
                Err(why) => {
                    println!("fuzz: seed {seed}, turn {turns}: {why}\n{body:?}\n{}", String::from_utf8_lossy(&body));
                    return ExitCode::FAILURE;
                }
            }
            turns += 1;
        }
    }
    println!("fuzz: {turns} bodies, {answers} of them answers; no disagreement");
    ExitCode::SUCCESS
}

fn damaged(random: &mut Random) -> Vec<u8> {
    let mut body = random.of(&GOOD).as_bytes().to_vec();
    for _ in 0..=random.below(6) {
        let start = random.below(body.len() + 1);
        let end = body.len().min(start + random.below(6));
        match random.below(6) {
            0 => drop(body.splice(start..start, random.of(&PIECES).bytes())),
            1 => drop(body.splice(start..end, random.of(&PIECES).bytes())),
            2 => drop(body.drain(start..end)),
            3 => body.truncate(start),
            4 => {
                let copy = body[start..end].to_vec();
                let to = random.below(body.len() + 1);
                drop(body.splice(to..to, copy));
            }
            _ => {
                if let Some(byte) = body.get_mut(start) {
                    *byte ^= 1 << random.below(8);
                }
            }
        }
    }
    body
}

/// Reads `body` and compares; whether it is an answer.
fn check(body: &[u8]) -> Result<bool, String> {
    let read = read_reply(body);
    let plain = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
    let tree: Option<Value> = serde_json::from_slice(plain).ok();
    match (&read, &tree) {
        (Err(NotAReply::NotJson | NotAReply::Empty | NotAReply::Markup), Some(_)) => return Err("it is JSON".into()),
        (Err(NotAReply::NotAnObject), Some(Value::Object(_))) => return Err("it is an object".into()),
        _ => {}
    }
    match read {
        Err(_) => Ok(false),
        Ok(Reply::Refused { code, message }) => {
            if message.chars().count() > 300 || message.chars().any(char::is_control) {
                return Err(format!("{message:?} is not safe to show"));
            }
            same(tree.as_ref(), "CodeResponse", &code.to_string())?;
            Ok(true)
        }
        Ok(Reply::Balance { balance, user_id }) => {
            let shown = balance.to_string();
            if shown.parse::<Decimal>() != Ok(balance) || shown.contains(['e', 'E', '+']) {
                return Err(format!("{shown} is not plain, or is not what it says"));
            }
            same(tree.as_ref(), "Balance", &shown)?;
            same(tree.as_ref(), "UserID", &user_id.to_string())?;
            same(tree.as_ref(), "CodeResponse", "100")?;
            Ok(true)
        }
    }
}

/// Whether the member of the tree is the same number as `shown`: rounded correctly, equal numbers give equal floats.
fn same(tree: Option<&Value>, name: &str, shown: &str) -> Result<(), String> {
    let float = match tree.map(|tree| &tree[name]) {
        // What the tree cannot hold (1e999 somewhere, half a surrogate pair) may stand in a member that nobody reads.
        None => return Ok(()),
        Some(Value::String(text)) => text.trim().parse::<f64>().ok(),
        Some(value) => value.as_f64(),
    };
    let ours: Option<f64> = shown.parse().ok();
    if float == ours { Ok(()) } else { Err(format!("{name} was read as {shown}, and is {float:?}")) }
}

/// xorshift64*.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(drawn).unwrap_or_default() % end.max(1)
    }

    fn of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }
}
