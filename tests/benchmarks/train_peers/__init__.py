"""The sides of `train_vs_peers.py`: each runs in a process and a virtual environment of its own.

How the peers' settings were chosen: errors on every tenth structure of the training set, after a fit of the rest in
the CPU seconds given (the rate falls to zero within them); the tests were not looked at. Learning rate 0.01 and a ratio
of the weights (energy : forces) of 1 : 100 where nothing else is said. Cutoff 5 Å for every model and substance.

| model  | data | CPU s | settings                          | steps | F meV/Å | E meV/atom |       |
| ------ | ---- | ----- | --------------------------------- | ----- | ------- | ---------- | ----- |
| MACE   | acac | 50    | batch 2                           | 513   | 121.7   | 128.1      |       |
| MACE   | acac | 50    | batch 2, 10 : 100                 | 544   | 112.6   | 2.5        | taken |
| MACE   | acac | 50    | batch 5                           | 289   | 143.4   | 262.3      |       |
| MACE   | acac | 50    | batch 10                          | 142   | 225.1   | 731.5      |       |
| MACE   | mo   | 50    | batch 1                           | 329   | 299.7   | 110.3      |       |
| MACE   | mo   | 50    | batch 2                           | 164   | 302.5   | 94.9       | taken |
| NequIP | acac | 50    | parity, batch 2                   | 1219  | 99.5    | 9.9        |       |
| NequIP | acac | 50    | parity, batch 5                   | 759   | 104.8   | 6.2        |       |
| NequIP | acac | 50    | no parity, batch 5                | 928   | 99.4    | 2.9        |       |
| NequIP | acac | 50    | no parity, batch 2, 10 : 100      | 1513  | 90.4    | 1.9        | taken |
| NequIP | mo   | 50    | no parity, batch 1                | 742   | 240.4   | 88.7       |       |
| NequIP | mo   | 50    | no parity, batch 2                | 491   | 242.9   | 95.7       |       |
| NequIP | mo   | 50    | no parity, batch 2, 10 : 100      | 453   | 242.4   | 71.3       | taken |
| NequIP | mo   | 50    | parity, batch 2                   | 360   | 258.3   | 76.1       |       |
| MTP    | acac | 40    | level 8                           | 78    | 270.5   | 3.7        |       |
| MTP    | acac | 40    | level 12                          | 19    | 351.7   | 5.0        |       |
| MTP    | acac | 100   | level 16                          | 14    | 224.0   | 4.4        |       |
| MTP    | acac | 100   | level 20                          | 6     | 109.7   | 2.0        | taken |

The steps of an MTP are evaluations of all structures. Least squares does most of the work within such a budget, so that
the highest level whose matrix can be made in time wins; level 22 needs more than 200 CPU seconds for that. NequIP's own
compilation (`NequIP-compiled`) takes about 200 CPU seconds here and then makes 1.5 times as many steps: 302 instead of
199 in ten seconds (acac, parity, batch 5).
"""
