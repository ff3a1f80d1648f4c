//! Whether the figures that readers saw can be explained: one order of an account's movements and readings, in which each
//! takes effect at an instant between its call and its answer, and each reading shows the sum of the movements before it.
//!
//! The movements' own order is known: their entries are numbered. What is left is to place each reading between two of them,
//! no earlier than after all that had been answered before it was asked, no later than before the first that was asked
//! after it was answered, and never before a reading that had been answered before. A reading takes the first place that
//! fits; a later one could only leave less room to those after it, so that what finds no place this way has none at all.

/// A movement that took effect.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// The balance after it.
    pub(crate) balance: i64,
    /// When it was first asked for.
    pub(crate) began: u64,
    /// When somebody was first told that it had happened; the greatest number where nobody was.
    pub(crate) told: u64,
}

/// A figure that somebody saw.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) balance: i64,
    pub(crate) began: u64,
    pub(crate) ended: u64,
    /// Who it was, for people.
    pub(crate) what: String,
}

/// What cannot be explained, a sentence each.
pub(crate) fn contradictions(steps: &[Step], seen: &[Seen]) -> Vec<String> {
    let mut found = order_of_steps(steps);
    let bounds = Bounds::new(steps);
    let mut by_begin: Vec<usize> = (0..seen.len()).collect();
    by_begin.sort_by_key(|index| seen[*index].began);
    let mut by_end = by_begin.clone();
    by_end.sort_by_key(|index| seen[*index].ended);
    let mut places = vec![0; seen.len()];
    let (mut earlier, mut floor) = (by_end.into_iter().peekable(), 0);
    for index in by_begin {
        let it = &seen[index];
        // Whoever was answered before this one was asked has its place already: it was asked earlier still.
        while let Some(before) = earlier.next_if(|before| seen[*before].ended < it.began) {
            floor = floor.max(places[before]);
        }
        let (first, last) = (bounds.least(it.began).max(floor), bounds.greatest(it.ended));
        let place = (first..=last).find(|count| steps[count - 1].balance == it.balance);
        match place {
            Some(place) => places[index] = place,
            None => {
                places[index] = floor;
                found.push(unexplained(steps, it, first, last));
            }
        }
    }
    found
}

/// Movements whose order contradicts their times.
fn order_of_steps(steps: &[Step]) -> Vec<String> {
    let mut latest = (0, 0);
    let mut found = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        if latest.0 > step.told {
            found.push(format!(
                "entry {} was acknowledged at {}, before entry {} was asked for at {}",
                index + 1,
                seconds(step.told),
                latest.1,
                seconds(latest.0)
            ));
        }
        latest = latest.max((step.began, index + 1));
    }
    found
}

fn unexplained(steps: &[Step], it: &Seen, first: usize, last: usize) -> String {
    let shown = |count: usize| steps.get(count.wrapping_sub(1)).map_or(0, |step| step.balance);
    let mut possible: Vec<String> =
        (first..=last).take(8).map(|count| format!("{} after entry {count}", shown(count))).collect();
    if last.saturating_sub(first) >= 8 {
        possible.push("…".into());
    }
    let older = steps.iter().rposition(|step| step.balance == it.balance).map(|index| index + 1);
    format!(
        "{}, asked at {} and answered at {}, saw {}{}; possible was {}",
        it.what,
        seconds(it.began),
        seconds(it.ended),
        it.balance,
        older.map_or_else(String::new, |number| format!(" (the balance after entry {number})")),
        if possible.is_empty() { "nothing".into() } else { possible.join(", ") }
    )
}

/// Seconds of the run, as people read them.
pub(crate) fn seconds(micros: u64) -> String {
    format!("{}.{:06} s", micros / 1_000_000, micros % 1_000_000)
}

/// How many movements a reading includes at least, and at most.
struct Bounds {
    /// By the time at which movements were acknowledged, the greatest number that was by then.
    told: Vec<(u64, usize)>,
    /// By the time at which movements were asked for, the least number that was not before.
    began: Vec<(u64, usize)>,
    len: usize,
}

impl Bounds {
    fn new(steps: &[Step]) -> Bounds {
        let mut told: Vec<(u64, usize)> =
            steps.iter().enumerate().map(|(index, step)| (step.told, index + 1)).collect();
        told.sort_unstable();
        let mut greatest = 0;
        for (_, number) in &mut told {
            greatest = greatest.max(*number);
            *number = greatest;
        }
        let mut began: Vec<(u64, usize)> =
            steps.iter().enumerate().map(|(index, step)| (step.began, index + 1)).collect();
        began.sort_unstable();
        let mut least = usize::MAX;
        for (_, number) in began.iter_mut().rev() {
            least = least.min(*number);
            *number = least;
        }
        Bounds { told, began, len: steps.len() }
    }

    /// All that had been acknowledged before `asked` is included, and an account has been opened.
    fn least(&self, asked: u64) -> usize {
        let count = self.told.partition_point(|(told, _)| *told < asked);
        self.told[..count].last().map_or(1, |(_, number)| *number).max(1)
    }

    /// Nothing that was asked for after `answered` is included.
    fn greatest(&self, answered: u64) -> usize {
        let count = self.began.partition_point(|(began, _)| *began <= answered);
        self.began.get(count).map_or(self.len, |(_, number)| number - 1)
    }
}
