//! What happens in the week, and what must follow from it, reckoned from the script alone.
//!
//! Ticks are twenty minutes. Credit is charged with each of them, most of it by day and little at weekends. Everything here is
//! arithmetic on whole numbers, written without looking at how the watcher reckons.

/// Monday, 2026-07-27, 00:00 in Hanoi.
pub(crate) const START_S: i64 = 1_785_085_200;
pub(crate) const TICK_S: i64 = 1200;
const DAY: i64 = 72;

/// The tick of a day (0 is the first Monday) and time.
pub(crate) const fn tick(day: i64, hour: i64, minute: i64) -> i64 {
    day * DAY + hour * 3 + minute / 20
}

/// Nobody can reach the server from here, on Wednesday, for two hours.
pub(crate) const DOWN: std::ops::Range<i64> = tick(2, 16, 0)..tick(2, 18, 0);
/// The receiver of messages is in trouble.
pub(crate) const REFUSED: std::ops::Range<i64> = tick(3, 15, 0)..tick(3, 16, 20);
/// The watcher is killed, with a message in hand that the receiver did not take, and started again.
pub(crate) const KILLED: std::ops::Range<i64> = tick(3, 16, 0)..tick(3, 16, 40);
/// Somebody tops the shop up.
pub(crate) const TOPUP: (i64, i64) = (tick(4, 14, 0), 300_000);
/// When the picture is made.
pub(crate) const PICTURE: i64 = tick(4, 10, 0);
/// Monday evening.
pub(crate) const END: i64 = tick(7, 20, 0);

/// An account and what is charged to it.
pub(crate) struct Script {
    pub(crate) id: u32,
    pub(crate) name: &'static str,
    pub(crate) start: i64,
    /// Charged with each tick: by day, by night, and the hundredths of both at weekends.
    day: i64,
    night: i64,
    weekend_percent: i64,
    topup: Option<(i64, i64)>,
}

pub(crate) const SHOP: Script =
    Script { id: 9999, name: "Shop", start: 400_000, day: 2000, night: 400, weekend_percent: 20, topup: Some(TOPUP) };
pub(crate) const BANK: Script =
    Script {
        id: 1001, name: "Ngân hàng", start: 12_000_000, day: 1800, night: 600, weekend_percent: 100, topup: None
    };
pub(crate) const CODES: Script =
    Script { id: 1002, name: "Codes", start: 60_000, day: 200, night: 200, weekend_percent: 100, topup: None };
pub(crate) const ALL: [&Script; 3] = [&SHOP, &BANK, &CODES];

impl Script {
    /// What is charged at a tick, as far as there is credit for it.
    pub(crate) fn charge(&self, tick: i64) -> i64 {
        let (day, hour) = (tick / DAY % 7, tick % DAY / 3);
        let usual = if (8..20).contains(&hour) { self.day } else { self.night };
        if day < 5 { usual } else { usual * self.weekend_percent / 100 }
    }

    pub(crate) fn topup(&self, tick: i64) -> i64 {
        self.topup.filter(|(at, _)| *at == tick).map_or(0, |(_, amount)| amount)
    }

    /// The balance right after each tick.
    fn balances(&self) -> Vec<i64> {
        let mut balance = self.start;
        let after = |tick: i64| {
            balance += self.topup(tick);
            let charge = self.charge(tick);
            balance -= if tick > 0 && charge <= balance { charge } else { 0 };
            balance
        };
        (0..=END).map(after).collect()
    }

    pub(crate) fn balance(&self, tick: i64) -> i64 {
        self.balances()[index(tick)]
    }

    /// The first tick after `from` whose balance is below `threshold`.
    pub(crate) fn falls_below(&self, threshold: i64, from: i64) -> i64 {
        let balances = self.balances();
        (from + 1..=END).find(|tick| balances[index(*tick)] < threshold).expect("it falls")
    }

    /// The first tick after `from` whose balance lasts less than `hours` at the speed of the 24 hours before it.
    pub(crate) fn lasts_less_than(&self, hours: i64, from: i64) -> i64 {
        let balances = self.balances();
        let is_short = |tick: &i64| {
            let begin = (tick - DAY).max(0);
            let used: i64 = (begin + 1..=*tick)
                .map(|tick| balances[index(tick - 1)] + self.topup(tick) - balances[index(tick)])
                .sum();
            // balance / (used / covered) < hours, in whole numbers; a covered tick is a third of an hour.
            balances[index(*tick)] * (tick - begin) < hours * used * 3
        };
        (from + 1..=END).find(is_short).expect("it gets short")
    }
}

fn index(tick: i64) -> usize {
    usize::try_from(tick).expect("no tick before the first")
}
