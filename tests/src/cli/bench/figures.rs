//! `cargo xtask bench figures`: the documentation's tables, made from the committed results.

use std::{fs, process::ExitCode};

use anyhow::{Context, Result};
use clap::Args;

use crate::{
    bench::figures::{PAGES, page},
    kernel::workspace,
};

#[derive(Debug, Args)]
pub(super) struct Figures {
    /// Only say which pages are not as the results have them, and end in 1 if one is not
    #[arg(long)]
    check: bool,
}

impl Figures {
    pub(super) fn execute(self) -> Result<ExitCode> {
        let root = workspace();
        let mut stale = false;
        for name in PAGES {
            let [text, fresh] = page(root, name)?;
            if text == fresh {
                continue;
            }
            stale = true;
            if self.check {
                println!("{name} is not as the results have it");
            } else {
                fs::write(root.join(name), fresh)
                    .with_context(|| format!("cannot write {name}"))?;
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
