//! Prints the balance of an eSMS account. Keys come from ESMS_API_KEY and ESMS_SECRET_KEY.
//!
//! In a project of your own: `sodu-client` under `[dependencies]`; for code that is async already, `sodu_client::Client`.

#![expect(clippy::print_stdout, reason = "it is a program to be read and run")]

use std::env;
use std::process::ExitCode;

use sodu_client::blocking::Client;
use sodu_client::{Error, Settings};

fn main() -> ExitCode {
    match balance() {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("no balance: {error}");
            ExitCode::FAILURE
        }
    }
}

fn balance() -> Result<String, Box<dyn std::error::Error>> {
    let url = env::var("ESMS_URL").unwrap_or_else(|_| "https://rest.esms.vn".to_owned());
    let (api_key, secret_key) = (env::var("ESMS_API_KEY")?, env::var("ESMS_SECRET_KEY")?);
    let client = Client::with(&url, &api_key, &secret_key, Settings::default())?;
    match client.balance() {
        Ok(balance) => Ok(format!("account {} has {}", balance.user_id, balance.amount)),
        Err(Error::WrongKeys) => Err("code 101: check both keys".into()),
        Err(error) => Err(error.into()),
    }
}
