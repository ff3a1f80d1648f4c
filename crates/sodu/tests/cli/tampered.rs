//! A ledger to tamper with: made once through the command line, and copied for each test.
//!
//! Tampering is done in SQL, behind the server's back and without what stands in the way of a change by mistake.

use std::sync::OnceLock;

use crate::common::{Ended, Sodu};
use crate::engine;

/// A ledger with every kind of movement, made by the real binary. Its log, by row of the embedded engine: the openings of 7 and 8, then the entries
/// of 7 from 2 to 5 in the rows 3, 5, 6 and 7 and that of 8 in row 4, a refusal in row 8, 7's entries 6 to 10 in the rows 9 to
/// 13, 8's entries 3 and 4, a refusal in row 16, 7's entries 11 to 13, and 8's entry 5 in row 20.
fn made() -> &'static Sodu {
    static MADE: OnceLock<Sodu> = OnceLock::new();
    MADE.get_or_init(|| {
        let sodu = Sodu::new();
        let commands = [
            "account open --name ABC --id 7 --credit-limit 500 -k open-7",
            "account open --name BCD --id 8",
            "topup 7 1000 -k in --reference vcb-1 --reason paid --metadata bank=vcb",
            "topup 8 500 -k in",
            "charge 7 300 -k c1",
            "charge 7 200 -k c2",
            "refund 7 100 --charge-key c1 -k back",
            "charge 8 99999 -k too-much",
            "hold 7 200 -k campaign --expires-in 86400",
            "capture 7 key:campaign 50 -k part",
            "extend 7 key:campaign --expires-in 172800 -k longer",
            "limit 7 800",
            "transfer 7 8 20 -k over",
            "adjust 8 -5 -k fix --reason twice",
            "charge 8 99999 -k too-much-again",
            "hold 7 30 -k second --expires-in 86400",
            "void 7 key:second -k stopped",
            "charge 7 10 -k c3",
            "charge 8 1 -k last",
        ];
        for command in commands {
            let args: Vec<&str> = command.split(' ').collect();
            let code = if command.contains("99999") { 1 } else { 0 };
            sodu.run(&args).expect(code);
        }
        sodu
    })
}

/// The same with so many further accounts that what follows behind the commits is on disk: account rows, keys, milestones.
fn large() -> &'static Sodu {
    static LARGE: OnceLock<Sodu> = OnceLock::new();
    LARGE.get_or_init(|| {
        let sodu = copy();
        let accounts: String = (1_000..3_500).map(|id| format!("{id},A,1\n")).collect();
        std::fs::write(sodu.path("accounts.csv"), format!("id,name,balance\n{accounts}")).expect("a file");
        sodu.run(&["import", "accounts", "accounts.csv"]).expect(0);
        sodu
    })
}

/// Which of the two ledgers.
#[derive(Clone, Copy)]
pub(crate) enum Size {
    /// What follows behind its commits is not on disk yet: account rows are as of their openings, and no key is in the index.
    Small,
    /// All of it is on disk.
    Large,
}

/// A copy of the small ledger to tamper with.
pub(crate) fn copy() -> Sodu {
    copy_of(Size::Small)
}

/// A copy of either ledger to tamper with.
pub(crate) fn copy_of(size: Size) -> Sodu {
    engine::copy(match size {
        Size::Small => made(),
        Size::Large => large(),
    })
}

/// What `verify` says is false after `sql`, run on a copy of the large ledger or of the small one. It must say something, and
/// end with 1.
#[track_caller]
pub(crate) fn falsehoods(size: Size, sql: &str) -> Vec<String> {
    let sodu = copy_of(size);
    engine::tamper(&sodu, sql);
    let ended = sodu.run(&["verify"]);
    // A machine that is busy is told how far it is.
    let said: Vec<&str> = ended.err.lines().filter(|line| !line.starts_with("verifying: ")).collect();
    assert_eq!((ended.code, said), (1, Vec::new()), "{sql} went unnoticed: {}", ended.out);
    false_lines(&ended)
}

pub(crate) fn false_lines(ended: &Ended) -> Vec<String> {
    let lines = ended.out.lines().filter_map(|line| line.strip_prefix("FALSE  "));
    lines.map(str::to_owned).collect()
}
