//! `cargo xtask bench figures`: the documentation's tables and pictures, made from the committed results.

use std::{fs, path::Path, process::ExitCode};

use anyhow::{Context, Result};
use clap::Args;

use crate::{
    bench::figures::{PAGES, PICTURES, page},
    kernel::workspace,
};

#[derive(Debug, Args)]
pub(super) struct Figures {
    /// Only say which pages and pictures are not as the results have them, and end in 1 if one is not
    #[arg(long)]
    check: bool,
}

impl Figures {
    pub(super) fn execute(self) -> Result<ExitCode> {
        let root = workspace();
        let pages = PAGES.iter().map(|name| (*name, page(root, name)));
        let pictures = PICTURES.iter().map(|it| (it.file, it.compared(root)));
        let mut stale = false;
        for (name, compared) in pages.chain(pictures) {
            let [there, fresh] = compared?;
            if there == fresh {
                continue;
            }
            stale = true;
            if self.check {
                println!("{name} is not as the results have it");
            } else {
                write(&root.join(name), &fresh).with_context(|| format!("cannot write {name}"))?;
                println!("{name} is written anew");
            }
        }
        if !stale {
            println!("all figures are as the results have them");
        }
        Ok(match stale && self.check {
            true => ExitCode::FAILURE,
            false => ExitCode::SUCCESS,
        })
    }
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, text)
}
