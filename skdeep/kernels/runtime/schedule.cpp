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

// What needs nothing of what comes before it, and what rows wait for, such as weights that
// are transformed: done first, it does not cut the chain of the rows in two.
Pointers ready_before_rows(const Pointers& all) {
  const auto ordered = [](const Operation* a, const Operation* b) {
    return relation(*a, *b) != Relation::independent;
  };
  Pointers chosen;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i]->split != Split::columns) continue;
    const auto here = all.begin() + (long)i;
    const bool free = std::none_of(all.begin(), here,
                                   [&](auto* o) { return ordered(o, *here); });
    const bool awaited = std::any_of(here + 1, all.end(), [&](auto* o) {
      return o->split == Split::rows && ordered(*here, o);
    });
    if (free && awaited) chosen.push_back(all[i]);
  }
  return chosen;
}

const void* first_written(const Operation& o) {
  for (int i = 0; i < o.n_arguments; ++i) {
    if (has(o.written, i)) return o.argument[i].data;
  }
  return nullptr;
}

// One operation of a task takes tens of milliseconds at most, so that an interrupt is
// answered soon.
constexpr double most_cost = 4e9;

// So many parameters go through all operations of an update at a time.
constexpr long update_step = 4096;

long divide_up(long a, long b) { return (a + b - 1) / b; }

// Where the gradient that an operation writes lies in the vector that `updates` read: the
// range for each row of what it writes.
struct GradientRange {
  long start, per_row;
};

std::vector<GradientRange> gradient_ranges(const Operation& o, const Pointers& updates) {
  std::vector<GradientRange> ranges;
  // weight decay takes only some of the parameters
  const Operation& update =
      **std::max_element(updates.begin(), updates.end(),
                         [](auto* a, auto* b) { return a->length < b->length; });
  for (int i = 0; i < o.n_arguments; ++i) {
    for (int j = 0; j < update.n_arguments; ++j) {
      const Argument &part = o.argument[i], &vector = update.argument[j];
      if (!has(o.written, i) || !overlap(part, vector)) continue;
      const long bytes = (const char*)part.data - (const char*)vector.data;
      ranges.push_back({bytes / type_bytes(vector.type), part.columns});
    }
  }
  return ranges;
}

// Whether all that an update needs of an operation is the same range of the gradient.
bool meet_in_gradient(const Operation& o, const Operation& update) {
  for (int i = 0; i < o.n_arguments; ++i) {
    for (int j = 0; j < update.n_arguments; ++j) {
      if (!has(o.written, i) && !has(update.written, j)) continue;
      const Argument &part = o.argument[i], &vector = update.argument[j];
      if (!overlap(part, vector)) continue;
      const bool by_range = has(o.written, i) && has(o.cut, i) && has(update.cut, j) &&
                            part.type == vector.type && part.data >= vector.data;
      if (!by_range) return false;
    }
  }
  return true;
}

// The first of the last stages whose operations write all of the gradient, each range of which
// can be updated as soon as it is there; as many as there are stages where there are none.
std::size_t first_updating(const std::vector<Stage>& stages, const Stage& updates) {
  long covered = 0;
  for (std::size_t i = stages.size(); i-- > 0;) {
    const Stage& stage = stages[i];
    if (stage.split != Split::columns || updates.split != Split::parameters) break;
    for (const Operation* o : stage.operations) {
      for (const Operation* update : updates.operations) {
        if (!meet_in_gradient(*o, *update)) return stages.size();
      }
      for (const auto& range : gradient_ranges(*o, updates.operations)) {
        covered += o->length * range.per_row;
      }
    }
    if (covered == updates.length) return i;
  }
  return stages.size();
}

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

// A chain's operations, and how many rows go through all of them at a time: a few where
// they are images, else all of a task.
std::vector<Piece> steps_of_chain(const Stage& stage) {
  constexpr long all = 1L << 40;
  std::vector<Piece> pieces;
  if (stage.split == Split::parameters) {
    return {{stage.operations.data(), (int)stage.operations.size(), 0, 0, update_step}};
  }
  for (const auto& o : stage.operations) {
    const long rows = rows_of_step(*o);
    const long step = rows < few_rows ? std::max(rows, 1L) : all;
    if (!pieces.empty() && (pieces.back().step == all) == (step == all)) {
      pieces.back().count += 1;
      pieces.back().step = std::min(pieces.back().step, step);
    } else {
      pieces.push_back({&o, 1, 0, 0, step});
    }
  }
  return pieces;
}

// A chain's tasks: a few for each thread, and rows few enough to stay in its cache.
void plan_chain(const Stage& stage, int threads, PlannedStage& planned) {
  const bool rows = stage.split == Split::rows;
  Task task = steps_of_chain(stage);
  long largest = rows ? 256 : 1L << 16;
  double costliest = 1;
  for (const auto& o : stage.operations) costliest = std::max(costliest, o->cost);
  largest = std::min(largest, (long)(most_cost / costliest * (double)stage.length) + 1);
  long smallest = rows ? few_rows : 2048;
  for (const Piece& piece : task) smallest = std::min(smallest, piece.step);
  long pieces = divide_up(stage.length, largest);
  if (threads > 1) {
    const long wanted = divide_up(pieces, threads) * threads;
    pieces = std::max(pieces, std::min(wanted, stage.length / smallest));
  }
  pieces = std::max(pieces, 1L);
  for (long i = 0; i < pieces; ++i) {
    // parameters in whole cache lines
    const long unit = rows ? 1 : 64, units = divide_up(stage.length, unit);
    const long begin = std::min(units * i / pieces * unit, stage.length);
    const long end = std::min(units * (i + 1) / pieces * unit, stage.length);
    for (Piece& piece : task) {
      piece.begin = begin;
      piece.end = end;
    }
    planned.tasks.push_back(task);
  }
  for (int t = 0; t <= threads; ++t) {
    planned.first.push_back((int)(pieces * t / threads));
  }
}

// How far a task's range may go, to stay in the cache until it is updated.
long largest_range(const Operation& o, const std::vector<GradientRange>& ranges) {
  constexpr long parameters = 1 << 18;
  long per_row = 1;
  for (const auto& range : ranges) per_row = std::max(per_row, range.per_row);
  return ranges.empty() ? o.length : std::max(parameters / per_row, 16L);
}

void plan_side_by_side(const Stage& stage, int threads, PlannedStage& planned) {
  constexpr double least_cost = 20000;
  constexpr long unit = unit_of_columns;
  // one thread needs no pieces but to be interrupted between them
  const double even = threads == 1 ? most_cost : stage.cost / (3.0 * threads);
  const double per_task = std::min(std::max(even, least_cost), most_cost);
  std::vector<double> ends;
  double sum = 0;
  for (const auto& o : stage.operations) {
    const bool cut = o->split == Split::columns;
    std::vector<GradientRange> ranges;
    if (!stage.updates.empty()) ranges = gradient_ranges(*o, stage.updates);
    const long units = cut ? divide_up(o->length, unit) : 1;
    const long least = divide_up(o->length, largest_range(*o, ranges));
    const long wanted = (long)(std::min(o->cost / per_task, 1e6) + 0.5);
    const long pieces = std::max(1L, std::min(units, std::max(wanted, least)));
    for (long i = 0; i < pieces; ++i) {
      const long begin = cut ? units * i / pieces * unit : 0;
      const long end =
          i + 1 == pieces ? o->length : units * (i + 1) / pieces * unit;
      Task task = {{&o, 1, begin, end, end - begin}};
      for (const auto& range : ranges) {
        task.push_back({stage.updates.data(), (int)stage.updates.size(),
                        range.start + begin * range.per_row,
                        range.start + end * range.per_row, update_step});
      }
      planned.tasks.push_back(std::move(task));
      ends.push_back(sum += o->cost / (double)pieces);
    }
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
  const auto add = [&](Split split, Pointers chosen) {
    Stage stage;
    stage.split = split;
    for (const Operation* o : chosen) {
      remaining.erase(std::find(remaining.begin(), remaining.end(), o));
      stage.length = std::max(stage.length, o->length);
      stage.cost += o->cost;
    }
    if (split == Split::columns) {
      // in the order of the parameters, so that a thread updates what it computed
      std::stable_sort(chosen.begin(), chosen.end(),
                       [](const Operation* a, const Operation* b) {
                         return first_written(*a) < first_written(*b);
                       });
    }
    stage.operations = std::move(chosen);
    const std::size_t first = first_updating(stages, stage);
    if (first < stages.size()) {
      const double cost = stage.cost / (double)(stages.size() - first);
      for (std::size_t i = first; i < stages.size(); ++i) {
        stages[i].updates = stage.operations;
        stages[i].cost += cost;
      }
    } else {
      stages.push_back(std::move(stage));
    }
  };
  Pointers before = ready_before_rows(remaining);
  if (!before.empty()) add(Split::columns, std::move(before));
  while (!remaining.empty()) {
    for (Split split :
         {Split::rows, Split::columns, Split::parameters, Split::python}) {
      Pointers chosen = ready(remaining, split);
      if (chosen.empty()) continue;
      add(split, std::move(chosen));
      break;
    }
  }
  return stages;
}

Plan make_plan(const std::vector<Stage>& stages, int threads) {
  Plan plan;
  for (const Stage& stage : stages) {
    PlannedStage planned{stage.split, stage.cost, {}, {}};
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
