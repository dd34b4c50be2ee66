// In what order a program's operations run, and how their work is shared out.
#pragma once

#include <vector>

#include "operation.h"

namespace skdeep {

// Operations between two barriers. Those of a chain, all cut by rows or all by
// parameters, run one after another for each range of it; others run side by side.
struct Stage {
  Split split;  // rows, parameters, columns (side by side) or python
  std::vector<const Operation*> operations;
  // A chain by parameters, of which each range runs where the gradient for it was
  // computed by what runs side by side.
  std::vector<const Operation*> updates;
  long length = 0;  // of a chain
  double cost = 0;
};

// Operations are reordered where they do not depend on each other: row operations as
// early as possible, so that a thread carries its rows far, and weight gradients late.
std::vector<Stage> make_stages(const std::vector<Operation>& operations);

// Some operations for a range of their axis.
struct Piece {
  const Operation* const* operations;
  int count;
  long begin, end;
  long step;  // how much of the range goes through all operations at a time
};

// What one thread does in one go.
using Task = std::vector<Piece>;

// The tasks of a stage. Thread t starts with those from first[t] to first[t + 1].
struct PlannedStage {
  Split split;
  double cost;
  std::vector<Task> tasks;
  std::vector<int> first;
};

using Plan = std::vector<PlannedStage>;

Plan make_plan(const std::vector<Stage>& stages, int threads);

}  // namespace skdeep
