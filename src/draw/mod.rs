//! Pictures as data, and what becomes of them: a [`Scene`] of a few typed shapes → SVG, pixels, PNG.
//!
//! * [`scene`]: what a picture consists of; heat maps hold the numbers that they show.
//! * [`color`]: colour ramps and the inks of charts, light and dark.
//! * [`svg`], [`raster`], [`png`](mod@png): the three outputs. Equal scenes give equal bytes.
//!
//! SVG is written directly: the shapes are five, and a chart library would bring its own fonts, axes and dependencies for less control.
//! PNG is written over `flate2`, in strips on all processors, since pictures of networks have millions of pixels; text in it comes from
//! glyphs that a crate ships as bitmaps. Knows nothing of networks, pages and files.

pub mod color;
pub mod png;
pub mod raster;
pub mod scene;
pub mod svg;

pub use color::{Ink, Ramp, Rgb, Scheme};
pub use scene::{Anchor, Area, Heat, Item, Labels, Scene};
