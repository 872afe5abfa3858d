// Figures as people read them: three digits and at most two decimals, as everywhere else in Reveille.
'use strict';
{
  const MILLION = 1_000_000;

  // Rounded to hundredths first, so that the choice of decimals sees what will be shown.
  const digits = (millionths) => {
    if (millionths < 0) {
      const text = digits(-millionths);
      return /[1-9]/.test(text) ? `−${text}` : text;
    }
    const rounded = (parts) => Math.floor((millionths + MILLION / parts / 2) / (MILLION / parts));
    const hundredths = rounded(100);
    if (hundredths < 1_000) return (hundredths / 100).toFixed(2);
    if (hundredths < 10_000) return (rounded(10) / 10).toFixed(1);
    return String(rounded(1));
  };

  reveille.words = {
    millis: (nanos) => (nanos == null ? 'none' : digits(nanos)),
    // A time in milliseconds to the nanosecond: ticks of an axis stand apart however much it is enlarged.
    exactly: (nanos) => String(Number((nanos / MILLION).toFixed(6))),
    micros: (nanos) => (nanos == null ? 'none' : digits(nanos * 1_000)),
    value: (value) => digits(value * MILLION),
    // A tick of a logarithmic axis: short, whatever its size.
    tick: (value) => String(Number(value.toPrecision(3))),
    // What came from a guest is text and never markup.
    escaped: (text) => echarts.format.encodeHTML(String(text)),
  };
}
