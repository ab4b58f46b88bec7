//! `guildhall key`: keys in keystore files.

use std::path::PathBuf;

use alloy::primitives::Address;
use clap::Subcommand;
use serde::Serialize;

use super::Context;
use crate::{
    error::{ExitStatus, Result},
    keys::{KeyEntry, PasswordSource, read_secret},
    output::{Report, Style, table},
};

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a new random key. Beside a city's keys it gets the city's password, unless another is given.
    New {
        /// Its name.
        name: String,
    },
    /// List the keys here.
    List,
    /// Show a key: its address and file; with a password given, that it opens.
    Show {
        /// The key; the named `--key` if left out.
        #[arg(value_name = "NAME|FILE")]
        name: Option<String>,
    },
    /// Import a key: 64 hexadecimal digits on standard input, or another keystore file.
    Import {
        /// Its name here.
        name: String,
        /// Keystore file to copy from.
        #[arg(long, value_name = "FILE")]
        keystore: Option<PathBuf>,
    },
}

pub(crate) fn run(command: KeyCommand, context: &Context) -> Result<ExitStatus> {
    let keys = context.keys();
    let password = &context.profile.password;
    match command {
        KeyCommand::New { name } => context.out.result(&Made(keys.create(&name, password)?))?,
        KeyCommand::List => context.out.result(&Listed { keys: keys.list()? })?,
        KeyCommand::Show { name } => {
            let name = match &name {
                Some(name) => name,
                None => context.profile.key()?,
            };
            context.out.result(&show(name, context)?)?;
        }
        KeyCommand::Import { name, keystore } => {
            let key = match keystore {
                Some(file) => keys.open(&file.display().to_string(), password)?,
                None => read_secret(std::io::stdin().lock())?,
            };
            context.out.result(&Made(keys.store(&name, &key, password)?))?;
        }
    }
    Ok(ExitStatus::Done)
}

fn show(name: &str, context: &Context) -> Result<Shown> {
    let keys = context.keys();
    let file = keys.find(name)?;
    let listed = keys.list()?.into_iter().find(|entry| entry.file == file).and_then(|entry| entry.address);
    let given: &PasswordSource = &context.profile.password;
    // Without a stated address only the key itself tells; with a password we check that it opens.
    let opened = given.file.is_some() || given.descriptor.is_some() || listed.is_none();
    let address = if opened { keys.open(name, given)?.address() } else { listed.unwrap_or_default() };
    Ok(Shown { address, file, opened })
}

#[derive(Serialize)]
#[serde(transparent)]
struct Made(KeyEntry);

impl Report for Made {
    fn text(&self, style: Style) -> String {
        let address = self.0.address.map(|address| address.to_string()).unwrap_or_default();
        format!("{} {address}\n{}", style.strong(&self.0.name), style.faint(self.0.file.display()))
    }
}

#[derive(Serialize)]
struct Listed {
    keys: Vec<KeyEntry>,
}

impl Report for Listed {
    fn text(&self, _: Style) -> String {
        let head = vec!["name".to_owned(), "address".to_owned()];
        let rows = self.keys.iter().map(|key| {
            let address = key.address.map_or_else(|| "-".to_owned(), |address| address.to_string());
            vec![key.name.clone(), address]
        });
        table(std::iter::once(head).chain(rows).collect())
    }
}

#[derive(Serialize)]
struct Shown {
    address: Address,
    file: PathBuf,
    opened: bool,
}

impl Report for Shown {
    fn text(&self, style: Style) -> String {
        let note = if self.opened { "opens with this password" } else { "not opened" };
        format!("{}\n{}\n{}", self.address, style.faint(self.file.display()), style.faint(note))
    }
}
