//! The way to a server that demands TLS and a password: proven, or not taken.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use store::{DatabaseUrl, OpenError, Store};

use crate::bench::{new_account, options, run, until};
use crate::cluster::{Cluster, Shell};

/// Who may come in over TCP, before whatever else the server's own list says.
const DEMANDS: &str = "hostssl all sodu 127.0.0.1/32 scram-sha-256\nhostnossl all sodu 127.0.0.1/32 reject\n";

/// A server with a certificate for `localhost`, which is all that anybody has to trust.
fn with_tls(folder: &Path) -> Cluster {
    let cluster = Cluster::start();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).expect("a certificate");
    fs::write(folder.join("ca.pem"), made.cert.pem()).expect("a file");
    let data = cluster.folder().join("data");
    let owner = fs::metadata(&data).map(|data| std::os::unix::fs::MetadataExt::uid(&data)).expect("a folder");
    for (name, text) in [("server.crt", made.cert.pem()), ("server.key", made.signing_key.serialize_pem())] {
        let path = data.join(name);
        fs::write(&path, text).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a mode");
        chown(&path, Some(owner), None).expect("an owner");
    }
    let list = data.join("pg_hba.conf");
    let known = fs::read_to_string(&list).expect("its list");
    fs::write(&list, format!("{DEMANDS}{known}")).expect("its list");
    let admin = Shell::open(&cluster.url("admin", "postgres"));
    admin.run("ALTER ROLE sodu PASSWORD 'hush:hush'");
    admin.run("ALTER SYSTEM SET ssl = on");
    admin.run("SELECT pg_reload_conf()");
    let is_on = "SELECT (current_setting('ssl') = 'on')::int";
    until("TLS", || Shell::open(&cluster.url("admin", "postgres")).number(is_on) == 1);
    cluster
}

fn opened(url: &str) -> Result<Store, OpenError> {
    Store::open(options(DatabaseUrl::parse(url).expect("a URL"), &std::sync::Arc::default()))
}

#[test]
fn a_server_proves_its_name_and_the_password_comes_from_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = with_tls(folder.path());
    let (database, port) = (cluster.database("template1"), cluster.port());
    let file = |name: &str| folder.path().join(name).display().to_string().replace('/', "%2F");
    let passfile = folder.path().join("passfile");
    fs::write(&passfile, format!("localhost:{port}:{database}:sodu:hush\\:hush\n")).expect("a file");
    fs::set_permissions(&passfile, fs::Permissions::from_mode(0o600)).expect("a mode");
    let trusted = format!("sslrootcert={}", file("ca.pem"));
    let url = |user: &str, host: &str, more: &str| format!("postgres://{user}@{host}:{port}/{database}?{more}");
    let from_file = format!("{trusted}&passfile={}", file("passfile"));

    let store = opened(&url("sodu", "localhost", &from_file)).expect("a store");
    run(store.open_account(new_account(1))).expect("an account");
    let admin = Shell::open(&cluster.url("admin", &database));
    let lines = "SELECT count(*) FILTER (WHERE NOT ssl) * 100 + least(count(*), 1) FROM pg_stat_ssl \
                 JOIN pg_stat_activity USING (pid) WHERE usename = 'sodu'";
    assert_eq!(admin.number(lines), 1, "every connection of the store is TLS");
    store.close();
    opened(&url("sodu:hush%3Ahush", "localhost", &trusted)).expect("with the password in the URL").close();

    let other = rcgen::generate_simple_self_signed(vec!["localhost".into()]).expect("a certificate");
    fs::write(folder.path().join("other.pem"), other.cert.pem()).expect("a file");
    let wrong = [
        (
            url("sodu", "localhost", &format!("sslrootcert={}&passfile={}", file("other.pem"), file("passfile"))),
            "certificate",
        ),
        (url("sodu:hush%3Ahush", "127.0.0.1", &trusted), "certificate"),
        (url("sodu:wrong", "localhost", &trusted), "password"),
        (url("sodu:hush%3Ahush", "localhost", "sslmode=disable"), "rejects connection"),
    ];
    for (url, why) in wrong {
        let Err(OpenError::Io(said)) = opened(&url) else { panic!("{url} was taken") };
        assert!(said.contains(why) && !said.contains("hush"), "{url}: {said}");
    }
    fs::set_permissions(&passfile, fs::Permissions::from_mode(0o644)).expect("a mode");
    let Err(OpenError::Io(said)) = opened(&url("sodu", "localhost", &from_file)) else { panic!("others can read it") };
    assert!(said.contains("chmod 600"), "{said}");
}
