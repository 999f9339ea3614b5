"""The stages that labkit brings, one in each module; `labkit.screening.stage.BUILT_IN` names them."""
