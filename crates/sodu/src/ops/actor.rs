//! Who a local user is, for the audit trail: a name out of `/etc/passwd`, or the bare number.
//!
//! Users that only a directory service knows are named by their number: asking such a service could block, and no
//! entry should depend on its answer.

use ledger::Actor;

/// The actor that stands for the local user `uid`: `local:anna`, or `local:uid-1000` where no name is known.
pub fn local_actor(uid: u32) -> Actor {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named = name(&users, uid).and_then(|name| Actor::new(&format!("local:{name}")).ok());
    named.unwrap_or_else(|| Actor::new(&format!("local:uid-{uid}")).expect("letters and digits are plain text"))
}

/// The name of the first line `name:password:uid:…` with that number.
fn name(users: &str, uid: u32) -> Option<&str> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_their_number() {
        let users = "root:x:0:0:root:/root:/bin/sh\n# comment\n\n:x:7:7::/:\nanna:x:1000:1000::/home/anna:/bin/sh\n";
        assert_eq!(name(users, 0), Some("root"));
        assert_eq!(name(users, 1000), Some("anna"));
        assert_eq!(name(users, 7), None);
        assert_eq!(name(users, 100), None);
        assert_eq!(local_actor(4_294_967_294).as_str(), "local:uid-4294967294");
    }
}
