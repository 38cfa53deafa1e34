//! The path of a burn module while a visitor or mapper walks through a model.

use super::names::checkpoint_name;

/// The modules around the current parameter, from the outermost one.
#[derive(Default)]
pub(crate) struct ModulePath {
    names: Vec<String>,
    /// The types of the modules, such as `Struct:Linear`.
    containers: Vec<String>,
}

impl ModulePath {
    /// Enters the field `name`, as in burn's `enter_module`.
    pub(crate) fn enter(&mut self, name: &str, container_type: &str) {
        self.names.push(name.to_owned());
        self.containers.push(container_type.to_owned());
    }

    /// Leaves it.
    pub(crate) fn exit(&mut self) {
        self.names.pop();
        self.containers.pop();
    }

    /// Returns the checkpoint name of the current parameter.
    pub(crate) fn checkpoint_name(&self) -> String {
        checkpoint_name(&self.names)
    }

    /// Returns true if checkpoints store the current parameter transposed: PyTorch's weight of a linear layer is
    /// `[outputs, inputs]`, burn's `[inputs, outputs]`.
    pub(crate) fn is_transposed(&self, dimensions: usize) -> bool {
        dimensions == 2 && self.containers.last().is_some_and(|container| container == "Struct:Linear")
    }
}
