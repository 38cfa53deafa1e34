//! Arguments of tasks on texts that are defined in one file.

use clap::builder::StyledStr;
use clap::{Args, Command, Subcommand};

use albert::tasks::TextTask;

use super::common::{InputArgs, LengthArgs, ModelArgs, OutputArgs, WithoutWindows};
use super::device::DeviceArgs;

/// The arguments of a task with the options `O`.
#[derive(Args, Debug)]
pub(crate) struct TextTaskArgs<O: Args> {
    #[command(flatten)]
    pub input: InputArgs,
    /// Second text, for texts without one of their own
    #[arg(long, value_name = "TEXT", help_heading = "Task")]
    pub text_pair: Option<String>,
    #[command(flatten)]
    pub options: O,
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
    #[command(flatten)]
    pub length: LengthArgs<WithoutWindows>,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Returns the help of a subcommand with the options `O`, which is that of `O`: in one line, complete, and examples.
fn help<O: Args>() -> [StyledStr; 3] {
    let command = O::augment_args(Command::new(""));
    let short = command.get_about();
    let all = [short, command.get_long_about().or(short), command.get_after_help()];
    all.map(|text| text.cloned().unwrap_or_default())
}

/// Defines the subcommands.
macro_rules! subcommands {
    ($($module:ident: $task:ident on $head:ident;)*) => {
        #[derive(Subcommand, Debug)]
        pub(crate) enum TextTaskCommand {
            $(
                #[command(
                    about = help::<<albert::tasks::$task as TextTask>::Options>()[0].clone(),
                    long_about = help::<<albert::tasks::$task as TextTask>::Options>()[1].clone(),
                    after_help = help::<<albert::tasks::$task as TextTask>::Options>()[2].clone(),
                )]
                $task(TextTaskArgs<<albert::tasks::$task as TextTask>::Options>),
            )*
        }
    };
}
albert::text_tasks!(subcommands);

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    /// A command with the options of a task and nothing else.
    #[derive(Parser)]
    struct Alone<O: Args> {
        #[command(flatten)]
        options: O,
    }

    fn assert_same_defaults<O: Args + Default + std::fmt::Debug>() {
        let parsed = Alone::<O>::try_parse_from(["albert"]).expect("options have defaults").options;
        assert_eq!(format!("{parsed:?}"), format!("{:?}", O::default()));
    }

    macro_rules! defaults {
        ($($module:ident: $task:ident on $head:ident;)*) => {
            $(assert_same_defaults::<<albert::tasks::$task as TextTask>::Options>();)*
        };
    }

    #[test]
    fn the_library_has_the_defaults_of_the_program() {
        albert::text_tasks!(defaults);
    }
}
