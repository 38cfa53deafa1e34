//! Metrics, each equal to that of the script that its field trusts.

mod choice;
mod classification;
mod correlation;
mod entities;
mod entity_schemes;
mod no_answer;
mod squad;

pub use choice::{ChoiceFigures, choice_accuracy};
pub use classification::{
    ClassificationFigures, LabelFigures, MultiLabelFigures, classification, multi_label,
};
pub use correlation::{RegressionFigures, regression};
pub use entities::{EntityFigures, entities};
pub use entity_schemes::EntityScheme;
pub use squad::{QuestionOutcome, SquadFigures, SquadV2Figures, squad_v1, squad_v2};
