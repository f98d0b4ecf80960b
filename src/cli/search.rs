//! The options that say how a permutation is searched for, for all commands that search.

use super::word::word;
use crate::error::{Error, Result};
use crate::stage::Search;
use crate::words::Algorithm;

/// How to search, and how long.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct SearchArgs {
    /// How to search for the permutation
    #[arg(long, value_name = "NAME", default_value = "greedy", value_parser = word::<Algorithm>())]
    pub(super) algorithm: Algorithm,
    /// Moves that anneal tries [default: by the sizes]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    moves: Option<u64>,
    /// Noisy steps that assign makes before it polishes [default: by the sizes]
    #[arg(long, value_name = "N")]
    effort: Option<u64>,
}

impl SearchArgs {
    /// The search with the random numbers of `seed`.
    ///
    /// # Errors
    /// When a bound is given that another algorithm has.
    pub(super) fn params(&self, seed: u64) -> Result<Search> {
        let given = [("moves", self.moves), ("effort", self.effort)];
        let own = self.algorithm.budget();
        if let Some((name, _)) = given.iter().find(|(name, value)| value.is_some() && own != Some(*name)) {
            let of = Algorithm::ALL.iter().find(|algorithm| algorithm.budget() == Some(*name)).map_or("", |algorithm| algorithm.name());
            return Err(Error::usage(format!("`--{name}` is for `--algorithm {of}`")).because(self.why()));
        }
        let budget = given.iter().find(|(name, _)| own == Some(*name)).and_then(|(_, value)| *value);
        Ok(Search { algorithm: self.algorithm, seed, budget })
    }

    /// # Errors
    /// When the algorithm ends by itself.
    pub(super) fn check_time_limit(&self) -> Result<()> {
        if self.algorithm.budget().is_some() {
            return Ok(());
        }
        Err(Error::usage("`--seconds` is for `--algorithm anneal` and `--algorithm assign`")
            .because(self.why())
            .help("leave it out, or choose one of these"))
    }

    fn why(&self) -> String {
        match self.algorithm.budget() {
            None => "the greedy search ends by itself".to_owned(),
            Some(own) => format!("what bounds `{}` is `--{own}`", self.algorithm.name()),
        }
    }
}
