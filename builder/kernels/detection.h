/* Non-maximum suppression of boxes; operators/detection_postprocess.py has its meaning.  A box is ymin, xmin, ymax,
 * xmax. */
#ifndef RUNE_DETECTION_H
#define RUNE_DETECTION_H

#include "runtime.h"

RUNE_INLINE float rune_box_overlap(const float *a, const float *b) {
  const float area_a = (a[2] - a[0]) * (a[3] - a[1]), area_b = (b[2] - b[0]) * (b[3] - b[1]);
  if (area_a <= 0.0f || area_b <= 0.0f) return 0.0f;
  const float height = __builtin_fminf(a[2], b[2]) - __builtin_fmaxf(a[0], b[0]);
  const float width = __builtin_fminf(a[3], b[3]) - __builtin_fmaxf(a[1], b[1]);
  const float common = (height > 0.0f ? height : 0.0f) * (width > 0.0f ? width : 0.0f);
  return common / (area_a + area_b - common);
}

/* The candidate with the highest score, the first of equals; -1 where there is none. */
RUNE_INLINE int32_t rune_best_candidate(const float *scores, const uint8_t *is_candidate, int32_t boxes) {
  int32_t best = -1;
  for (int32_t i = 0; i < boxes; ++i) {
    if (is_candidate[i] && (best < 0 || scores[i] > scores[best])) best = i;
  }
  return best;
}

/* What has been found so far, best first; of equals the first found. */
typedef struct {
  float *boxes, *classes, *scores;
  int32_t count, most;
} rune_detections;

RUNE_INLINE void rune_move_detection(rune_detections *found, int32_t from, int32_t to) {
  for (int32_t k = 0; k < 4; ++k) found->boxes[4 * to + k] = found->boxes[4 * from + k];
  found->classes[to] = found->classes[from];
  found->scores[to] = found->scores[from];
}

RUNE_INLINE void rune_add_detection(rune_detections *found, const float *box, float class, float score) {
  int32_t place = found->count;
  while (place > 0 && found->scores[place - 1] < score) --place;
  if (place == found->most) return;
  if (found->count < found->most) ++found->count;
  for (int32_t i = found->count - 1; i > place; --i) rune_move_detection(found, i - 1, i);
  for (int32_t k = 0; k < 4; ++k) found->boxes[4 * place + k] = box[k];
  found->classes[place] = class;
  found->scores[place] = score;
}

/* Keeps the best of boxes that overlap; `column` is the class of all, or -1: then `labels` has that of each. */
RUNE_INLINE void rune_suppress(rune_detections *found, const float *boxes, const float *scores,
                               const int32_t *labels, uint8_t *is_candidate, int32_t count, int32_t column,
                               int32_t most, float least_score, float most_overlap) {
  for (int32_t i = 0; i < count; ++i) is_candidate[i] = scores[i] >= least_score;
  for (int32_t taken = 0; taken < most; ++taken) {
    const int32_t best = rune_best_candidate(scores, is_candidate, count);
    if (best < 0) return;
    is_candidate[best] = 0;
    rune_add_detection(found, boxes + 4 * best, (float)(column < 0 ? labels[best] : column), scores[best]);
    for (int32_t i = 0; i < count; ++i) {
      if (is_candidate[i] && rune_box_overlap(boxes + 4 * best, boxes + 4 * i) > most_overlap) is_candidate[i] = 0;
    }
  }
}

/* The highest score of a box over all classes, and the first class that has it. */
RUNE_INLINE void rune_best_classes(const float *table, float *scores, int32_t *labels, int32_t count,
                                   int32_t columns, int32_t first) {
  for (int32_t i = 0; i < count; ++i, table += columns) {
    labels[i] = 0;
    for (int32_t column = first + 1; column < columns; ++column) {
      if (table[column] > table[first + labels[i]]) labels[i] = column - first;
    }
    scores[i] = table[first + labels[i]];
  }
}

/* `table` has a row of scores for each box, in which classes begin at column `first`.  Returns 0, or 5 (`VALUE`) for a
 * box without area. */
RUNE_INLINE int32_t rune_detect(const float *table, const float *decoded, float *boxes, float *classes,
                                float *best, float *found_count, float *scores, int32_t *labels,
                                uint8_t *is_candidate, int32_t count, int32_t columns, int32_t first, int32_t most,
                                int32_t most_of_class, float least_score, float most_overlap) {
  for (int32_t i = 0; i < count; ++i) {
    const float *box = decoded + 4 * i;
    if (box[0] >= box[2] || box[1] >= box[3]) return 5;
  }
  rune_detections found = {boxes, classes, best, 0, most};
  if (most_of_class == 0) {
    rune_best_classes(table, scores, labels, count, columns, first);
    rune_suppress(&found, decoded, scores, labels, is_candidate, count, -1, most, least_score, most_overlap);
  }
  for (int32_t column = first; most_of_class > 0 && column < columns; ++column) {
    for (int32_t i = 0; i < count; ++i) scores[i] = table[i * columns + column];
    rune_suppress(&found, decoded, scores, labels, is_candidate, count, column - first, most_of_class, least_score,
                  most_overlap);
  }
  *found_count = (float)found.count;
  for (int32_t i = found.count; i < most; ++i) {
    for (int32_t k = 0; k < 4; ++k) boxes[4 * i + k] = 0.0f;
    classes[i] = best[i] = 0.0f;
  }
  return 0;
}

#endif
