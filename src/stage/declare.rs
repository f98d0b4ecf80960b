//! From one row a stage to the types that name all of them: [`Stage`](super::Stage), [`Action`](super::Action) and
//! [`Outcome`](super::Outcome), with what follows from the row alone.

/// Declares the stages, each by `Name = "name", version N, of Owner, told (accessor: Parameters), says (accessor: Outcome);`, where nothing stands
/// in parentheses for what there is nothing of. The parameter struct has `params(&self)`, the outcome struct `annotations(&self)`.
///
/// Behind `also` stand actions of a stage that has one already, for networks of another family: `Name: Stage, of Owner, told (accessor: Parameters);`.
macro_rules! stages {
    ($(
        $(#[$doc:meta])+
        $stage:ident = $name:literal, version $version:literal, of $owner:ident, told ($($told:ident: $params:ty)?), says ($($said:ident: $outcome:ty)?);
    )+
    also
    $(
        $(#[$also_doc:meta])+
        $also:ident: $of:ident, of $also_owner:ident, told ($also_told:ident: $also_params:ty);
    )+) => {
        /// The stages, in the order in which a net passes through them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "lowercase")]
        pub enum Stage {
            $($(#[$doc])+ $stage,)+
        }

        impl Stage {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$stage),+];

            /// Its name in manifests, keys and reports.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$stage => $name,)+
                }
            }

            /// Raised whenever the stage gives other bytes for the same inputs and parameters: old results are no longer used then.
            pub const fn version(self) -> u32 {
                match self {
                    $(Self::$stage => $version,)+
                }
            }
        }

        /// An action, a stage with its parameters: a node of the graph.
        #[derive(Debug, Clone)]
        pub enum Action {
            $($(#[$doc])+ $stage $(($params))?,)+
            $($(#[$also_doc])+ $also($also_params),)+
            /// Any of these on a network that an architecture file describes; its searches are `Search`.
            Described(Box<$crate::stage::Described>),
        }

        impl Action {
            /// The stage.
            pub const fn stage(&self) -> Stage {
                match self {
                    $(Self::$stage { .. } => Stage::$stage,)+
                    $(Self::$also { .. } => Stage::$of,)+
                    Self::Described(described) => described.stage,
                }
            }

            /// Whose networks it is done to, and so who does it.
            pub const fn owner(&self) -> $crate::stage::Owner {
                match self {
                    $(Self::$stage { .. } => $crate::stage::Owner::$owner,)+
                    $(Self::$also { .. } => $crate::stage::Owner::$also_owner,)+
                    Self::Described(_) => $crate::stage::Owner::Described,
                }
            }

            /// The parameters as they enter the key: resolved values only, no paths, no spelling, no floats.
            pub fn params(&self) -> Map<String, Value> {
                match self {
                    $(Self::$stage $(($told))? => $crate::stage::declare::stages!(@params $($told)?),)+
                    $(Self::$also($also_told) => $also_told.params(),)+
                    Self::Described(described) => described.params(),
                }
            }

            $(
                #[doc = concat!("The parameters, if this is `", stringify!($also), "`.")]
                pub const fn $also_told(&self) -> Option<&$also_params> {
                    if let Self::$also($also_told) = self { Some($also_told) } else { None }
                }
            )+

            $($(
                #[doc = concat!("The parameters of `", $name, "`, if this is one.")]
                pub const fn $told(&self) -> Option<&$params> {
                    if let Self::$stage($told) = self { Some($told) } else { None }
                }
            )?)+
        }

        /// What a stage says of its result, beside the result itself: small facts that records keep and reports show.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Outcome {
            $(#[doc = concat!("Of `", $name, "`.")] $stage $(($outcome))?,)+
        }

        impl Outcome {
            /// The stage that it is of.
            pub const fn stage(&self) -> Stage {
                match self {
                    $(Self::$stage { .. } => Stage::$stage,)+
                }
            }

            /// As records keep it.
            pub fn to_json(&self) -> Value {
                match self {
                    $(Self::$stage $(($said))? => $crate::stage::declare::stages!(@json $($said)?),)+
                }
            }

            /// Reads what a record keeps of a stage.
            ///
            /// # Errors
            /// When it is not of that stage.
            pub fn from_json(stage: Stage, value: &Value) -> Result<Self> {
                Ok(match stage {
                    $(Stage::$stage => Self::$stage $((read::<$outcome>(stage, value)?))?,)+
                })
            }

            /// As statements about a net's making give it; members without a value are left out.
            pub fn annotations(&self) -> Map<String, Value> {
                match self {
                    $(Self::$stage $(($said))? => $crate::stage::declare::stages!(@annotations $($said)?),)+
                }
            }

            $($(
                #[doc = concat!("What `", $name, "` says, if this is of it.")]
                pub const fn $said(&self) -> Option<&$outcome> {
                    if let Self::$stage($said) = self { Some($said) } else { None }
                }
            )?)+
        }
    };
    (@params $told:ident) => { $told.params() };
    (@params) => { Map::new() };
    (@json $said:ident) => { json!($said) };
    (@json) => { json!({}) };
    (@annotations $said:ident) => { $said.annotations() };
    (@annotations) => { Map::new() };
}

pub(super) use stages;
