//! The options that say which positions count, for all commands that sample training data.

use crate::error::Result;
use crate::positions::Filters;

/// The filters under the trainer's names; `-` is taken for `_`. Positions in check are always left out.
#[derive(clap::Args, Debug, Clone, Default)]
#[command(next_help_heading = "Filters of positions (as the trainer's loader)")]
pub(crate) struct FilterArgs {
    /// Leave out positions whose move is a capture
    #[arg(long)]
    filtered: bool,
    /// Leave out positions at random whose game did not end as their score foretells
    #[arg(long = "wld_filtered", alias = "wld-filtered")]
    wld_filtered: bool,
    /// Leave out N of N + 1 positions, at random
    #[arg(long = "random_fen_skipping", alias = "random-fen-skipping", value_name = "N")]
    random_fen_skipping: Option<u32>,
    /// Leave out positions of ply N and below; -1 leaves out none
    #[arg(long = "early_fen_skipping", alias = "early-fen-skipping", value_name = "N", allow_negative_numbers = true,
          value_parser = clap::value_parser!(i32).range(-1..=65535))]
    early_fen_skipping: Option<i32>,
    /// Leave out positions whose material differs by less than N (a pawn is 208); -1 leaves out none
    #[arg(long = "simple_eval_skipping", alias = "simple-eval-skipping", value_name = "N", allow_negative_numbers = true,
          value_parser = clap::value_parser!(i32).range(-1..))]
    simple_eval_skipping: Option<i32>,
    /// Leave out positions whose score is beyond N for either side
    #[arg(long = "max_score", alias = "max-score", value_name = "N")]
    max_score: Option<u16>,
    /// Leave out positions after ply N
    #[arg(long = "max_ply", alias = "max-ply", value_name = "N")]
    max_ply: Option<u16>,
    /// Wanted share of positions with 0 pieces; any of --pc_y1 to --pc_y3 turns the weighting by pieces on [default then: 1]
    #[arg(long = "pc_y1", alias = "pc-y1", value_name = "X", allow_negative_numbers = true)]
    pc_y1: Option<f64>,
    /// Wanted share of positions with 16 pieces [default then: 2]
    #[arg(long = "pc_y2", alias = "pc-y2", value_name = "X", allow_negative_numbers = true)]
    pc_y2: Option<f64>,
    /// Wanted share of positions with 32 pieces [default then: 1]
    #[arg(long = "pc_y3", alias = "pc-y3", value_name = "X", allow_negative_numbers = true)]
    pc_y3: Option<f64>,
}

impl FilterArgs {
    /// The same as the sampling takes it.
    ///
    /// # Errors
    /// As [`Filters::validate`].
    pub(crate) fn filters(&self) -> Result<Filters> {
        let none = Filters::default();
        let filters = Filters {
            filtered: self.filtered,
            wld_filtered: self.wld_filtered,
            random_fen_skipping: self.random_fen_skipping.unwrap_or(none.random_fen_skipping),
            early_fen_skipping: self.early_fen_skipping.unwrap_or(none.early_fen_skipping),
            simple_eval_skipping: self.simple_eval_skipping.unwrap_or(none.simple_eval_skipping),
            max_score: self.max_score,
            max_ply: self.max_ply,
            pc_y1: self.pc_y1,
            pc_y2: self.pc_y2,
            pc_y3: self.pc_y3,
        };
        filters.validate()?;
        Ok(filters)
    }
}
