"""What nkfm_wormgraph offers."""

from neurokit_fm import Entry, hookimpl

PAPER = "doi:10.1101/2024.02.13.580186"


@hookimpl
def register_models() -> list[Entry]:
    """Offer the activity models."""
    return [
        Entry(
            name="worm-linear",
            target="nkfm_wormgraph.linear:WormLinear",
            summary="Linear autoregression of each neuron, with couplings to all others or along a connectome",
            paper=PAPER,
        ),
        Entry(
            name="worm-persistence",
            target="nkfm_wormgraph.linear:WormPersistence",
            summary="The next value is the last one: the forecast to beat",
            paper=PAPER,
        ),
        Entry(
            name="worm-rnn",
            target="nkfm_wormgraph.recurrent:WormRecurrent",
            summary="GRU or LSTM over the 300 neurons of C. elegans, forecasting their activity",
            paper=PAPER,
        ),
        Entry(
            name="worm-transformer",
            target="nkfm_wormgraph.transformer:WormTransformer",
            summary="Transformer over neuron tokens with soma position and time, forecasting their activity",
            paper=PAPER,
        ),
        Entry(
            name="worm-wired",
            target="nkfm_wormgraph.wired:WormWired",
            summary="Network with the synapses and gap junctions of a connectome, forecasting activity",
            paper="doi:10.1103/PhysRevE.89.052805",
        ),
    ]


@hookimpl
def register_commands() -> list[Entry]:
    """Offer `nkfm wormgraph`."""
    return [
        Entry(
            name="wormgraph",
            target="nkfm_wormgraph.command:wormgraph",
            summary="Forecast a worm's activity, compare it with its wiring, write a page about both",
        )
    ]
