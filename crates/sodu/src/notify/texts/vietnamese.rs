//! Alerts in Vietnamese. A line that nothing is known for is empty, and left out.

use super::figures::Teller;
use super::{Event, Money, Threshold, Words};

const TOP_UP: &str =
    "Việc cần làm: hãy nạp tiền trước khi hết. Khi hết tiền, tin nhắn sẽ ngừng gửi, kể cả mã xác thực (OTP).";
const TOP_UP_NOW: &str =
    "Việc cần làm: hãy nạp tiền ngay. Trước khi nạp, tin nhắn có thể không gửi được, kể cả mã xác thực (OTP).";

pub(super) fn words(tell: &Teller<'_>) -> Words {
    match &tell.facts.event {
        Event::Low(threshold) => low(tell, threshold),
        Event::Empty => empty(tell),
        Event::Reminder { since_unix_s } => reminder(tell, &tell.time(*since_unix_s)),
        Event::Recovered { since_unix_s } => recovered(tell, &tell.time(*since_unix_s)),
        Event::Unreadable { since_unix_s, count, reason, last } => {
            unreadable(tell, &tell.time(*since_unix_s), *count, reason, last.as_ref())
        }
        Event::Readable { since_unix_s } => readable(tell, &tell.time(*since_unix_s)),
        Event::ChargesRefused { amount, count, since_unix_s } => {
            refused(tell, &tell.sum(amount), *count, &tell.time(*since_unix_s))
        }
        Event::HoldExpired { hold, released, made_unix_s } => {
            hold_expired(tell, *hold, &tell.sum(released), &tell.time(*made_unix_s))
        }
        Event::AccountLocked { by, reason } => locked(tell, by, reason.as_deref()),
        Event::KeyIssued { key, by } => key_issued(tell, key, by),
        Event::KeyRevoked { key, by } => key_revoked(tell, key, by),
        Event::Adjusted { amount, by, reason } => adjusted(tell, amount, by, reason),
    }
}

fn low(tell: &Teller<'_>, threshold: &Threshold) -> Words {
    let (account, left) = (&tell.facts.account, left(tell));
    let level = match threshold {
        Threshold::Money(level) => format!("dưới mức cảnh báo {}", tell.sum(level)),
        Threshold::Lasts(seconds) => format!("không đủ dùng trong {} (mức cảnh báo)", tell.length(*seconds)),
        Threshold::Percent { percent, of } => {
            format!("dưới {percent}% của lần nạp gần nhất là {} (mức cảnh báo)", tell.sum(of))
        }
    };
    told(
        tell,
        format!("Tài khoản tin nhắn sắp hết tiền: {account} còn {left}{}", for_about(tell)),
        &[
            &format!("Tài khoản tin nhắn {account} còn {left}, {level}."),
            &spendable(tell),
            &lasts(tell),
            &format!("Tình trạng này bắt đầu từ {}.", tell.now()),
            TOP_UP,
        ],
    )
}

fn empty(tell: &Teller<'_>) -> Words {
    let (account, balance) = (&tell.facts.account, balance(tell));
    told(
        tell,
        format!("Tài khoản tin nhắn hết tiền: {account}, {balance}"),
        &[
            &format!("Tài khoản tin nhắn {account} đã hết tiền: {balance}."),
            &spendable(tell),
            &used(tell),
            &format!("Tình trạng này bắt đầu từ {}.", tell.now()),
            TOP_UP_NOW,
        ],
    )
}

fn reminder(tell: &Teller<'_>, since: &str) -> Words {
    let (account, left) = (&tell.facts.account, left(tell));
    let first = format!("Cảnh báo đầu tiên được gửi lúc {since}.");
    if tell.facts.is_empty() {
        let balance = balance(tell);
        let title = format!("Nhắc lại: tài khoản tin nhắn hết tiền, {account}, {balance}");
        let state = format!("Tài khoản tin nhắn {account} vẫn chưa có tiền: {balance}.");
        return told(tell, title, &[&state, &spendable(tell), &used(tell), &first, TOP_UP_NOW]);
    }
    let title = format!("Nhắc lại: tài khoản tin nhắn sắp hết tiền, {account} còn {left}{}", for_about(tell));
    let state = format!("Tài khoản tin nhắn {account} vẫn ở mức thấp: còn {left}.");
    told(tell, title, &[&state, &spendable(tell), &lasts(tell), &first, TOP_UP])
}

fn recovered(tell: &Teller<'_>, since: &str) -> Words {
    let (account, left) = (&tell.facts.account, left(tell));
    told(
        tell,
        format!("Đã nạp tiền: {account} hiện có {left}"),
        &[
            &format!("Tài khoản tin nhắn {account} hiện có {left} và không còn ở mức thấp."),
            &lasts(tell),
            &format!("Trước đó, tài khoản ở mức thấp từ {since}."),
            "Quý khách không cần làm gì thêm.",
        ],
    )
}

fn unreadable(tell: &Teller<'_>, since: &str, count: u64, reason: &str, last: Option<&(Money, i64)>) -> Words {
    let account = &tell.facts.account;
    let what = if count == 1 {
        format!("Lúc {since}, không đọc được số dư của tài khoản tin nhắn {account}.")
    } else {
        let count = tell.whole(count);
        format!("Từ {since}, đã {count} lần liên tiếp không đọc được số dư của tài khoản tin nhắn {account}.")
    };
    let last = last.map_or_else(String::new, |(left, at_unix_s)| {
        format!("Lần gần nhất đọc được, lúc {}, tài khoản còn {}.", tell.time(*at_unix_s), tell.sum(left))
    });
    told(
        tell,
        format!("Không đọc được số dư của {account}"),
        &[
            &what,
            "Điều này không có nghĩa là số dư bằng không: hiện chưa biết còn bao nhiêu.",
            &last,
            &tell.quoted("Nguyên nhân", reason),
            "Việc cần làm: hãy chuyển thư này cho bộ phận kỹ thuật, và trong lúc đó tự kiểm tra số dư.",
            "Cho đến khi đọc lại được, hệ thống không thể cảnh báo, kể cả khi tài khoản hết tiền.",
        ],
    )
}

fn readable(tell: &Teller<'_>, since: &str) -> Words {
    let (account, left) = (&tell.facts.account, left(tell));
    told(
        tell,
        format!("Đã đọc lại được số dư: {account} còn {left}"),
        &[
            &format!("Đã đọc lại được số dư của tài khoản tin nhắn {account}: còn {left}."),
            &lasts(tell),
            &format!("Trước đó, không đọc được số dư từ {since}."),
            "Từ giờ cảnh báo hoạt động trở lại.",
        ],
    )
}

fn refused(tell: &Teller<'_>, amount: &str, count: u64, since: &str) -> Words {
    let account = &tell.facts.account;
    let what = if count == 1 {
        format!("Lúc {since}, một khoản trừ {amount} vào tài khoản tin nhắn {account} bị từ chối vì không đủ số dư.")
    } else {
        let count = tell.whole(count);
        format!(
            "Từ {since}, đã có {count} khoản trừ vào tài khoản tin nhắn {account} bị từ chối vì không đủ số dư; khoản đầu tiên là \
             {amount}."
        )
    };
    let can_spend = tell.facts.spendable.as_ref().or(tell.facts.left.as_ref());
    let can_spend = can_spend.map_or_else(String::new, |sum| format!("Số dư khả dụng chỉ còn {}.", tell.sum(sum)));
    let title = format!("Không trừ được tiền vì không đủ số dư: {account}");
    told(tell, title, &[&what, &can_spend, &used(tell), TOP_UP_NOW])
}

fn hold_expired(tell: &Teller<'_>, hold: u64, released: &str, made: &str) -> Words {
    let (account, now) = (&tell.facts.account, tell.now());
    told(
        tell,
        format!("{released} tạm giữ của {account} đã trở lại số dư khả dụng"),
        &[
            &format!(
                "{released} của tài khoản tin nhắn {account} được tạm giữ lúc {made} (khoản tạm giữ số {hold}). Đến khi hết hạn, lúc \
                 {now}, số tiền này chưa được dùng và đã trở lại số dư khả dụng."
            ),
            &remaining(tell),
            "Việc cần làm: kế toán không phải chuyển tiền. Bộ phận kỹ thuật: nếu các tin nhắn của khoản này đã gửi thì hãy trừ tiền \
             cho chúng ngay, vì chúng chưa được trừ.",
        ],
    )
}

fn locked(tell: &Teller<'_>, by: &str, reason: Option<&str>) -> Words {
    let (account, now) = (&tell.facts.account, tell.now());
    told(
        tell,
        format!("Tài khoản bị khóa: {account}"),
        &[
            &format!("Tài khoản tin nhắn {account} đã bị người dùng {by} khóa lúc {now}."),
            &reason.map_or_else(String::new, |reason| tell.quoted("Lý do", reason)),
            &remaining(tell),
            "Khi chưa mở khóa, không trừ tiền được nên tin nhắn không gửi được, kể cả mã xác thực (OTP).",
            "Việc cần làm: hãy giải quyết với nhà cung cấp dịch vụ tin nhắn và đề nghị họ mở khóa.",
        ],
    )
}

fn key_issued(tell: &Teller<'_>, key: &str, by: &str) -> Words {
    let (account, now) = (&tell.facts.account, tell.now());
    told(
        tell,
        format!("API key mới: {account}"),
        &[
            &format!("API key mới ({key}) của tài khoản tin nhắn {account} do người dùng {by} tạo lúc {now}."),
            "Ai có API key này và mã bí mật đi kèm đều dùng được tài khoản.",
            "Việc cần làm: hãy hỏi bộ phận kỹ thuật. Nếu không ai yêu cầu API key này, hãy đề nghị nhà cung cấp dịch vụ tin nhắn \
             thu hồi ngay.",
        ],
    )
}

fn key_revoked(tell: &Teller<'_>, key: &str, by: &str) -> Words {
    let (account, now) = (&tell.facts.account, tell.now());
    told(
        tell,
        format!("API key bị thu hồi: {account}"),
        &[
            &format!("API key {key} của tài khoản tin nhắn {account} đã bị người dùng {by} thu hồi lúc {now}."),
            "Chương trình nào còn dùng API key này sẽ bị từ chối (mã lỗi 101).",
            "Việc cần làm: hãy chuyển thư này cho bộ phận kỹ thuật để thay API key khác cho các chương trình đó.",
        ],
    )
}

fn adjusted(tell: &Teller<'_>, amount: &Money, by: &str, reason: &str) -> Words {
    let (account, now, sum) = (&tell.facts.account, tell.now(), tell.size(amount));
    let how = if amount.amount.is_negative() { "giảm" } else { "tăng" };
    told(
        tell,
        format!("Số dư được điều chỉnh {how} {sum}: {account}"),
        &[
            &format!(
                "Người dùng {by} đã điều chỉnh {how} {sum} trong số dư của tài khoản tin nhắn {account} lúc {now}."
            ),
            &tell.quoted("Lý do", reason),
            &remaining(tell),
            "Việc cần làm: nếu thấy không đúng, hãy liên hệ nhà cung cấp dịch vụ tin nhắn.",
        ],
    )
}

/// The lines, and whose time they tell.
fn told(tell: &Teller<'_>, title: String, lines: &[&str]) -> Words {
    Words::new(title, lines, &format!("Giờ ghi theo múi giờ {}.", tell.zone()))
}

fn left(tell: &Teller<'_>) -> String {
    tell.facts.left.as_ref().map_or_else(|| "số tiền chưa rõ".to_owned(), |left| tell.sum(left))
}

/// The balance as accountants say it, below zero too.
fn balance(tell: &Teller<'_>) -> String {
    match &tell.facts.left {
        Some(left) if left.amount.is_negative() => format!("số dư âm {}", tell.size(left)),
        Some(_) | None => format!("số dư là {}", left(tell)),
    }
}

fn for_about(tell: &Teller<'_>) -> String {
    tell.facts.pace.as_ref().map_or_else(String::new, |pace| format!(", khoảng {} nữa", tell.length(pace.lasts_s)))
}

/// How long what is left lasts, at which rate.
fn lasts(tell: &Teller<'_>) -> String {
    let Some(pace) = &tell.facts.pace else { return String::new() };
    let end = tell.end(pace.lasts_s).map_or_else(String::new, |end| format!(", đến khoảng {end}"));
    format!(
        "Với mức dùng hiện nay, {} mỗi giờ (tính trong {} qua), số tiền này đủ dùng khoảng {} nữa{end}.",
        tell.sum(&pace.per_hour),
        tell.length(pace.measured_s),
        tell.length(pace.lasts_s),
    )
}

/// How much was used, where nothing is left that could last.
fn used(tell: &Teller<'_>) -> String {
    tell.facts.pace.as_ref().map_or_else(String::new, |pace| {
        format!(
            "Trong {} qua, tài khoản dùng trung bình {} mỗi giờ.",
            tell.length(pace.measured_s),
            tell.sum(&pace.per_hour)
        )
    })
}

fn spendable(tell: &Teller<'_>) -> String {
    let spendable = tell.facts.spendable.as_ref();
    spendable.map_or_else(String::new, |sum| {
        format!("Trong hạn mức tín dụng, tài khoản chỉ còn dùng được {}.", tell.sum(sum))
    })
}

fn remaining(tell: &Teller<'_>) -> String {
    tell.facts.left.as_ref().map_or_else(String::new, |left| format!("Tài khoản còn {}.", tell.sum(left)))
}
