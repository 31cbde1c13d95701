// Where tensors enter and leave: the model's element types on one side, ours on the other.
// type: 0 float32, 1 float16, 2 uint8 and bool, 3 int8, 4 uint16, 5 int16, 6 int32, 7 int64.
__kernel void enter(__global const uchar* restrict x, OUT y, int n, int type) {
  const int i = get_global_id(0);
  if (i >= n) return;
  float v = 0.0f;
  switch (type) {
    case 0: v = ((__global const float*)x)[i]; break;
    case 1: v = vload_half(i, (__global const half*)x); break;
    case 2: v = x[i]; break;
    case 3: v = ((__global const char*)x)[i]; break;
    case 4: v = ((__global const ushort*)x)[i]; break;
    case 5: v = ((__global const short*)x)[i]; break;
    case 6: v = ((__global const int*)x)[i]; break;
    case 7: v = ((__global const long*)x)[i]; break;
  }
  STORE1(v, i, y);
}
__kernel void leave(IN x, __global uchar* restrict y, int n, int type) {
  const int i = get_global_id(0);
  if (i >= n) return;
  const float v = LOAD1(x, i);
  switch (type) {
    case 0: ((__global float*)y)[i] = v; break;
    case 1: vstore_half_rte(v, i, (__global half*)y); break;
    case 2: y[i] = convert_uchar_sat_rte(v); break;
    case 3: ((__global char*)y)[i] = convert_char_sat_rte(v); break;
    case 4: ((__global ushort*)y)[i] = convert_ushort_sat_rte(v); break;
    case 5: ((__global short*)y)[i] = convert_short_sat_rte(v); break;
    case 6: ((__global int*)y)[i] = convert_int_sat_rte(v); break;
    case 7: ((__global long*)y)[i] = convert_long_sat_rte(v); break;
  }
}
