#include "schedule.h"

#include <algorithm>
#include <cstdint>

namespace skdeep {
namespace {

long type_bytes(Type type) {
  switch (type) {
    case Type::none:
      return 0;
    case Type::boolean:
    case Type::uint8:
      return 1;
    case Type::int32:
    case Type::float32:
      return 4;
    default:
      return 8;
  }
}

bool has(unsigned bits, int i) { return bits >> i & 1; }

bool overlap(const Argument& a, const Argument& b) {
  const auto begin_a = (std::uintptr_t)a.data, begin_b = (std::uintptr_t)b.data;
  const auto bytes_a = (std::uintptr_t)(a.rows * a.columns * type_bytes(a.type));
  const auto bytes_b = (std::uintptr_t)(b.rows * b.columns * type_bytes(b.type));
  return begin_a < begin_b + bytes_b && begin_b < begin_a + bytes_a;
}

enum class Relation { independent, by_range, ordered };

// Whether the order of two operations matters: not at all, only within each range of
// what both are cut along, or for the whole.
Relation relation(const Operation& first, const Operation& second) {
  // what Python does is not known well enough to let anything pass it
  if (first.split == Split::python || second.split == Split::python) {
    return Relation::ordered;
  }
  Relation found = Relation::independent;
  for (int i = 0; i < first.n_arguments; ++i) {
    for (int j = 0; j < second.n_arguments; ++j) {
      if (!has(first.written, i) && !has(second.written, j)) continue;
      const Argument &a = first.argument[i], &b = second.argument[j];
      if (!overlap(a, b)) continue;
      const bool alike = first.split == second.split && has(first.cut, i) &&
                         has(second.cut, j) && a.data == b.data &&
                         a.columns == b.columns && a.type == b.type;
      if (!alike) return Relation::ordered;
      found = Relation::by_range;
    }
  }
  return found;
}

using Pointers = std::vector<const Operation*>;

// The operations of a kind that can run now: nothing before them that is left behind
// is in their way.
Pointers ready(const Pointers& remaining, Split split) {
  Pointers chosen, left;
  const bool chain = split == Split::rows || split == Split::parameters;
  for (const Operation* o : remaining) {
    bool fits = split == Split::columns
                    ? o->split == Split::columns || o->split == Split::whole
                    : o->split == split;
    if (fits && split == Split::python) fits = chosen.empty();
    if (fits && split == Split::rows) {
      fits = chosen.empty() || chosen[0]->length == o->length;
    }
    for (const Operation* other : left) {
      fits = fits && relation(*other, *o) == Relation::independent;
    }
    for (const Operation* other : chosen) {
      const Relation r = relation(*other, *o);
      fits = fits && (r == Relation::independent || (chain && r == Relation::by_range));
    }
    (fits ? chosen : left).push_back(o);
  }
  return chosen;
}

const void* first_written(const Operation& o) {
  for (int i = 0; i < o.n_arguments; ++i) {
    if (has(o.written, i)) return o.argument[i].data;
  }
  return nullptr;
}

long divide_up(long a, long b) { return (a + b - 1) / b; }

// Rows that a step of an operation should have: as many as stay in the second cache from
// one operation to the next, unless what it reads for every step is larger than they are.
long rows_of_step(const Operation& o) {
  constexpr long cache_bytes = 512 * 1024;
  long row_bytes = 1, fixed_bytes = 0;
  for (int i = 0; i < o.n_arguments; ++i) {
    const Argument& a = o.argument[i];
    if (has(o.cut, i)) {
      row_bytes += a.columns * type_bytes(a.type);
    } else {
      fixed_bytes += a.rows * a.columns * type_bytes(a.type);
    }
  }
  return std::max(cache_bytes, 4 * fixed_bytes) / row_bytes;
}

// Fewer rows are not worth a step of their own, unless they are images.
constexpr long few_rows = 24;

// Operations on images go through small steps together; others take a task's rows at once.
std::vector<Segment> segments_of_rows(const Stage& stage) {
  constexpr long all = 1L << 40;
  std::vector<Segment> segments;
  for (const auto& o : stage.operations) {
    const long rows = rows_of_step(*o);
    const long step = rows < few_rows ? std::max(rows, 1L) : all;
    const bool joins = !segments.empty() && (segments.back().step == all) == (step == all);
    if (joins) {
      segments.back().count += 1;
      segments.back().step = std::min(segments.back().step, step);
    } else {
      segments.push_back({&o, 1, step});
    }
  }
  return segments;
}

// A chain's tasks: a few for each thread, and rows few enough to stay in its cache.
void plan_chain(const Stage& stage, int threads, PlannedStage& planned) {
  const bool rows = stage.split == Split::rows;
  const long largest = rows ? 256 : 1L << 16;
  long smallest = rows ? few_rows : 4096;
  if (rows) {
    planned.segments = segments_of_rows(stage);
    for (const Segment& s : planned.segments) smallest = std::min(smallest, s.step);
  } else {
    planned.segments = {{stage.operations.data(), (int)stage.operations.size(), 1024}};
  }
  long pieces = divide_up(stage.length, largest);
  if (threads > 1) {
    const long wanted = divide_up(pieces, 2 * threads) * 2 * threads;
    pieces = std::max(pieces, std::min(wanted, stage.length / smallest));
  }
  pieces = std::max(pieces, 1L);
  for (long i = 0; i < pieces; ++i) {
    // parameters in whole cache lines
    const long unit = rows ? 1 : 64, units = divide_up(stage.length, unit);
    const long begin = std::min(units * i / pieces * unit, stage.length);
    const long end = std::min(units * (i + 1) / pieces * unit, stage.length);
    planned.tasks.push_back(
        {planned.segments.data(), (int)planned.segments.size(), begin, end});
  }
  for (int t = 0; t <= threads; ++t) {
    planned.first.push_back((int)(pieces * t / threads));
  }
}

void plan_side_by_side(const Stage& stage, int threads, PlannedStage& planned) {
  constexpr double least_cost = 20000;
  constexpr long unit = 16;
  const double per_task =
      threads == 1 ? 1e30 : std::max(stage.cost / (3.0 * threads), least_cost);
  std::vector<double> ends;
  double sum = 0;
  for (const auto& o : stage.operations) {
    planned.segments.push_back({&o, 1, std::max(o->length, 1L)});
  }
  const Segment* segment = planned.segments.data();
  for (const auto& o : stage.operations) {
    const bool cut = o->split == Split::columns;
    const long units = cut ? divide_up(o->length, unit) : 1;
    const long pieces =
        std::max(1L, std::min(units, (long)(std::min(o->cost / per_task, 1e6) + 0.5)));
    for (long i = 0; i < pieces; ++i) {
      const long begin = cut ? units * i / pieces * unit : 0;
      const long end =
          i + 1 == pieces ? o->length : units * (i + 1) / pieces * unit;
      planned.tasks.push_back({segment, 1, begin, end});
      ends.push_back(sum += o->cost / (double)pieces);
    }
    ++segment;
  }
  planned.first.push_back(0);
  for (int t = 1; t < threads; ++t) {
    const auto place = std::lower_bound(ends.begin(), ends.end(), sum * t / threads - 0.5);
    planned.first.push_back((int)(place - ends.begin()));
  }
  planned.first.push_back((int)planned.tasks.size());
}

}  // namespace

std::vector<Stage> make_stages(const std::vector<Operation>& operations) {
  std::vector<Stage> stages;
  Pointers remaining;
  for (const Operation& o : operations) remaining.push_back(&o);
  while (!remaining.empty()) {
    for (Split split :
         {Split::rows, Split::columns, Split::parameters, Split::python}) {
      Stage stage;
      stage.split = split;
      stage.operations = ready(remaining, split);
      if (stage.operations.empty()) continue;
      for (const Operation* o : stage.operations) {
        remaining.erase(std::find(remaining.begin(), remaining.end(), o));
        stage.length = std::max(stage.length, o->length);
        stage.cost += o->cost;
      }
      if (split == Split::columns) {
        // in the order of the parameters, so that a thread updates what it computed
        std::stable_sort(stage.operations.begin(), stage.operations.end(),
                         [](const Operation* a, const Operation* b) {
                           return first_written(*a) < first_written(*b);
                         });
      }
      stages.push_back(std::move(stage));
      break;
    }
  }
  return stages;
}

Plan make_plan(const std::vector<Stage>& stages, int threads) {
  Plan plan;
  for (const Stage& stage : stages) {
    PlannedStage planned{stage.split, stage.cost, {}, {}, {}};
    if (stage.split == Split::columns || stage.split == Split::python) {
      plan_side_by_side(stage, threads, planned);
    } else {
      plan_chain(stage, threads, planned);
    }
    plan.push_back(std::move(planned));
  }
  return plan;
}

}  // namespace skdeep
