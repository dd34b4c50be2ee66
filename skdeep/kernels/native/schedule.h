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
  long length = 0;  // of a chain
  double cost = 0;
};

// Operations are reordered where they do not depend on each other: row operations as
// early as possible, so that a thread carries its rows far, and weight gradients late.
std::vector<Stage> make_stages(const std::vector<Operation>& operations);

// Operations of a task that a range goes through one after another, a step at a time
struct Segment {
  const Operation* const* operations;
  int count;
  long step;
};

struct Task {
  const Segment* segments;
  int count;
  long begin, end;
};

// The tasks of a stage. Thread t starts with those from first[t] to first[t + 1].
struct PlannedStage {
  Split split;
  double cost;
  std::vector<Segment> segments;
  std::vector<Task> tasks;
  std::vector<int> first;
};

using Plan = std::vector<PlannedStage>;

Plan make_plan(const std::vector<Stage>& stages, int threads);

}  // namespace skdeep
