// rune-block: energy(x: F32[N]) -> F32[1]
// rune-summary: the mean of the squares, times a gain
// rune-argument: gain: number = 1.0  what to multiply by

int32_t energy(const float *x, float *y) {
    float sum = 0.0f;
    for (int i = 0; i < N; i++) {
        if (x[i] != x[i]) {
            return RUNE_FAILURE_VALUE; // not a number
        }
        sum += x[i] * x[i];
    }
    y[0] = sum / N * (float)GAIN;
    return 0;
}
