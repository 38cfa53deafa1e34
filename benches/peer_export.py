"""The graphs that inference_peer.py and bulk_peer.py give to ONNX Runtime and OpenVINO."""

import torch

INPUTS = ["input_ids", "attention_mask", "token_type_ids"]


class Only(torch.nn.Module):
    """A transformers model that returns one of its outputs."""

    def __init__(self, model, output):
        super().__init__()
        self.model = model
        self.output = output

    def forward(self, input_ids, attention_mask, token_type_ids):
        return getattr(self.model(input_ids, attention_mask, token_type_ids), self.output)


def example():
    ids = torch.ones(2, 16, dtype=torch.int64)
    return ids, torch.ones_like(ids), torch.zeros_like(ids)


def openvino_graph(model, output):
    """Exports the model for any batch size and length."""
    import openvino as ov

    with torch.no_grad():
        graph = ov.convert_model(Only(model, output).eval(), example_input=example())
    graph.reshape({i: [-1, -1] for i in range(3)})
    for i, name in enumerate(INPUTS):
        graph.inputs[i].get_tensor().set_names({name})
    return graph
